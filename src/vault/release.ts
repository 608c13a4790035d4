/** Smaller buffers may lie in Node's pool, which cannot be given back, and are cheap to leave to the collector. */
const WORTH_BYTES = Math.max(64 * 1024, Buffer.poolSize) + 1;

/**
 * Gives the memory of `bytes` back at once; nobody may use them afterwards. The collector counts large buffers too lightly
 * and would let tens of megabytes of them wait in every thread.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= WORTH_BYTES) buffer.transfer(0);
}
