#pragma once
/*
 * What jansson and libxml2 free: a document may hold a key or a token, and they overwrite nothing. Called once by a
 * process, before the first document.
 */
void heap_wipe_freed(void);
