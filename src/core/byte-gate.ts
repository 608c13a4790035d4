/** Lets so much work on at once as its bytes allow; a piece that is larger than that works alone. */
export function byteGate(most: number) {
  let held = 0;
  const waiting: (() => void)[] = [];
  return async <Result>(sizeBytes: number, work: () => Promise<Result>): Promise<Result> => {
    while (held > 0 && held + sizeBytes > most) await new Promise<void>((go) => waiting.push(go));
    held += sizeBytes;
    try {
      return await work();
    } finally {
      held -= sizeBytes;
      for (const go of waiting.splice(0)) go();
    }
  };
}
