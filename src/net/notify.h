#pragma once
/* systemd's notification socket (sd_notify(3)), without libsystemd. Silent when NOTIFY_SOCKET is unset. */
void notify_state(const char *state); /* "READY=1", "STOPPING=1" */
void notify_reloading(void);          /* RELOADING=1 with the time stamp that the protocol asks for */
