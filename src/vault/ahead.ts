export interface Bounds {
  /** Of all items at work together; a larger one works alone. */
  readonly bytes: number;
  readonly items: number;
}

/**
 * Runs `work` on every item, in order, as many at once as the bounds allow. Many small objects are asked for side by side, so
 * that a distant store's answers do not have to be waited for one by one; large ones fill the memory that they may. The first
 * failure is thrown when those under way have ended; nothing new begins after it.
 */
export async function withinBounds<T>(
  items: Iterable<T>,
  sizeOf: (item: T) => number,
  bounds: Bounds,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let bytes = 0;
  let failed: { readonly error: unknown } | undefined;

  const begin = (item: T, size: number) => {
    bytes += size;
    const done: Promise<void> = work(item)
      .catch((error: unknown) => {
        failed ??= { error };
      })
      .finally(() => {
        bytes -= size;
        underWay.delete(done);
      });
    underWay.add(done);
  };

  for (const item of items) {
    const size = sizeOf(item);
    while (underWay.size >= bounds.items || (underWay.size > 0 && bytes + size > bounds.bytes)) {
      await Promise.race(underWay);
    }
    if (failed !== undefined) break;
    begin(item, size);
  }
  await Promise.all(underWay);
  if (failed !== undefined) throw failed.error;
}
