import { hash } from 'node:crypto';

/** Lower-case hex, as objects are named. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
