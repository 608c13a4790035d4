/** Smaller buffers are cheap to leave to the collector. */
const WORTH_BYTES = 16 * 1024;

/**
 * Gives the memory of `bytes` back at once; nobody may use them afterwards. The collector counts large buffers too lightly
 * and would let tens of megabytes of them wait in every thread.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < WORTH_BYTES) return;
  try {
    buffer.transfer(0);
  } catch {
    // It lies in Node's pool, which others use.
  }
}
