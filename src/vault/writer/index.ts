/** The keys of a host that writes. */
export { publicKeyIn, writerIn } from './key-file.ts';
export { fingerprintOf, planWriter, type WriterKeys, writerKeys } from './keys.ts';
