/** Takes from `items` as fast as `most` workers finish. The first failure stops the others after their item. */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const line = async () => {
    for (const item of queue) {
      if (failure !== undefined || signal.aborted) return;
      await work(item).catch((error: unknown) => {
        failure ??= { error };
      });
    }
  };
  await Promise.all(Array.from({ length: most }, line));
  signal.throwIfAborted();
  if (failure !== undefined) throw failure.error;
}
