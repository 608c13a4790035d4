import type { Reporter, TestModule } from 'vitest/node';

/** At the end of a run: what was left out, and why. A skipped test proves nothing, and must not pass unnoticed. */
export const reportSkips: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const byReason = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const reason = result.state === 'skipped' ? result.note : undefined;
        // Without a reason it was merely not asked for.
        if (reason !== undefined) byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
      }
    }
    for (const [reason, count] of byReason) process.stdout.write(`\n ${count} skipped: ${reason}\n`);
  },
};
