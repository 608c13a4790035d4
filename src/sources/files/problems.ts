import type { Problem } from '../../core/run.ts';

/** Problems of one kind that are named one by one; further ones are only counted. */
const NAMED = 1000;

/** Gathers problems without growing past all bounds when a million files cannot be read. */
export function startProblems(): { add(code: string, message: string): void; list(): Problem[] } {
  const problems: Problem[] = [];
  const counts = new Map<string, number>();
  return {
    add(code, message) {
      const count = (counts.get(code) ?? 0) + 1;
      counts.set(code, count);
      if (count <= NAMED) problems.push({ code, message });
    },
    list() {
      const more = [...counts].filter(([, count]) => count > NAMED);
      return [...problems, ...more.map(([code, count]) => ({ code, message: `${count - NAMED} more of these.` }))];
    },
  };
}
