/* The key that signs checkpoints (app/timeline/audit.h): one line of 64 hexadecimal digits, the
 * seed of an Ed25519 key, in a file that only its owner reads. */
#ifndef CLI_AUDIT_KEY_H
#define CLI_AUDIT_KEY_H

#include "app/timeline/audit.h"
#include "cli/options.h"

/* Reads the file of `--audit-key`, or audit.key in the data folder, which is made, for its
 * owner only, where it is not there. False, with a sentence on stderr. */
bool audit_key_load(const struct options *options, uint8_t out[AUDIT_SECRET_KEY_BYTES]);

#endif
