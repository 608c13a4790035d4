import { release } from '../release.ts';

/** Memory of one size that goes round: on fresh memory the page faults cost as much as reading does, and its weight sets the collector off. */
export interface Buffers {
  take(): ArrayBuffer;
  /** Whatever is here, and no more than `count`. */
  takeHeld(count: number): ArrayBuffer[];
  /** Nobody else uses it any more. One of another size, or one too many, is given back to the system. */
  give(buffer: ArrayBuffer): void;
}

export function buffersOf(sizeBytes: number, most: number): Buffers {
  const held: ArrayBuffer[] = [];
  return {
    take: () => held.pop() ?? (Buffer.allocUnsafeSlow(sizeBytes).buffer as ArrayBuffer),
    takeHeld: (count) => held.splice(0, count),
    give(buffer) {
      if (buffer.byteLength === sizeBytes && held.length < most) held.push(buffer);
      else release(new Uint8Array(buffer));
    },
  };
}
