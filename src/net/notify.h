#pragma once
/* systemd's notification socket (sd_notify(3)), without libsystemd. Silent when NOTIFY_SOCKET is unset. */
void notify_state(const char *state); /* "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=..." */
