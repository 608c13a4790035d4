/** The keys that open the backups, and what is sealed with them as a whole. */
export { endorsingKey } from './endorsing-key.ts';
export { identityInvalid } from './errors.ts';
export { generateIdentity, isRecipient, isSshIdentity, type KeyPair, recipientOf, refused } from './identity.ts';
export { type OpenedIdentityFile, openIdentityFile } from './identity-file.ts';
export { identityOf, secretOf } from './secret-bytes.ts';
export { openSmall, sealSmall } from './small-objects.ts';
export { sshPublicLine } from './ssh/public-key.ts';
