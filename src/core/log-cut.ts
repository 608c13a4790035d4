/** A piece of a log (WAL, binlog) as its key and record tell it. */
export interface LogPiece {
  readonly key: string;
  readonly stream: string;
  /** Position where it begins and ends, in the stream's own order. */
  readonly from: bigint;
  readonly to: bigint;
}

/** A restore point that a log goes on from. */
export interface LogBase {
  readonly stream: string;
  /** The log is needed from here on. Undefined: it is not known, so all of it is needed. */
  readonly from: bigint | undefined;
}

/**
 * The pieces that no kept base needs: those that end before the oldest kept base of their stream begins. A stream of which no
 * base is known is kept whole: its base may be where nobody looked.
 * @param bases of the restore points that are kept
 */
export function uselessPieces(pieces: readonly LogPiece[], bases: readonly LogBase[]): LogPiece[] {
  const cuts = new Map<string, bigint | undefined>();
  for (const { stream, from } of bases) {
    const known = cuts.get(stream);
    if (!cuts.has(stream)) cuts.set(stream, from);
    else if (known === undefined || from === undefined) cuts.set(stream, undefined);
    else if (from < known) cuts.set(stream, from);
  }
  return pieces.filter(({ stream, to }) => {
    const cut = cuts.get(stream);
    return cut !== undefined && to <= cut;
  });
}
