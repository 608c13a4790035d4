/**
 * What is under way on one connection: enough to fill a line of 50 ms at 40 MB/s. More would only make small requests wait
 * behind it, for a server answers in order.
 */
const inFlightBytes = 2 << 20;

/** Does each work when its turn comes. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** Turns of pieces of such a size, so that all of them together are not too much. */
export function pieceTurns(pieceBytes: number): Turns {
  const most = Math.ceil(inFlightBytes / pieceBytes);
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < most) running++;
    else await new Promise<void>((enter) => waiting.push(enter));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/**
 * Does `work` for `sizeBytes` bytes, piece by piece, several at once and in order. The first failure, or an abort, stops it
 * once what was under way has ended.
 */
export async function inPieces(
  inTurn: Turns,
  { sizeBytes, pieceBytes, signal }: { sizeBytes: number; pieceBytes: number; signal: AbortSignal | undefined },
  work: (offset: number, length: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < sizeBytes && !failed && !signal?.aborted) {
      const offset = next;
      next += pieceBytes;
      await inTurn(async () => {
        if (failed || signal?.aborted) return;
        await work(offset, Math.min(pieceBytes, sizeBytes - offset)).catch((error: unknown) => {
          failed = true;
          throw error;
        });
      });
    }
  };
  const atOnce = Math.min(Math.ceil(inFlightBytes / pieceBytes), Math.ceil(sizeBytes / pieceBytes));
  const results = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  signal?.throwIfAborted();
  const first = results.find((result) => result.status === 'rejected');
  if (first !== undefined) throw first.reason;
}
