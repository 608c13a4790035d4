import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';

const root = resolve(import.meta.dirname, '../..');

export interface NamedTest {
  readonly number: string;
  /** Relative to the root. */
  readonly file: string;
  readonly title: string;
}

/** docs/threats.md: the tests that its list names, and the cells of its table of attackers, row by row. */
export function readThreats(): { readonly named: readonly NamedTest[]; readonly cells: readonly string[] } {
  const text = readFileSync(join(root, 'docs/threats.md'), 'utf8');
  const named = [...text.matchAll(/^(\d+)\. `([^`]+\.test\.ts)`: (.+)$/gm)].map(([, number, file, title]) => ({
    number: number!,
    file: file!,
    title: title!,
  }));
  const table = /^\| attacker \|.*\n\| ---.*\n((?:\|.*\n)+)/m.exec(text)?.[1] ?? '';
  const rows = table.trimEnd().split('\n');
  return { named, cells: rows.flatMap((row) => row.split('|').slice(2, -1)).map((cell) => cell.trim()) };
}

/**
 * Sees the tests run that docs/threats.md rests on. In a run of everything each must have passed; in a run of some files, those
 * of these files. One that this machine cannot run is named, and as root, who can run all, it is a fault.
 */
export function seeThreats(): Reporter {
  let vitest: Vitest | undefined;
  return {
    onInit(started) {
      vitest = started;
    },
    async onTestRunEnd(modules: readonly TestModule[]) {
      if (vitest === undefined || vitest.config.testNamePattern !== undefined) return;
      const all = await vitest.globTestSpecifications();
      const ran = new Map(modules.map((module) => [relative(root, module.moduleId), module]));
      const isWhole = all.every(({ moduleId }) => ran.has(relative(root, moduleId)));
      for (const { number, file, title } of readThreats().named) {
        const module = ran.get(file);
        if (module === undefined && !isWhole) continue;
        const states = [...(module?.children.allTests() ?? [])]
          .filter(({ name }) => name === title)
          .map((test) => test.result().state);
        if (states.length > 0 && states.every((state) => state === 'passed')) continue;
        const what = states.length === 0 ? 'did not run' : states.join(', ');
        process.stdout.write(`\n docs/threats.md rests on test ${number}, which ${what}: ${file}: ${title}\n`);
        if (!states.every((state) => state === 'skipped') || states.length === 0 || process.getuid?.() === 0) {
          process.exitCode = 1;
        }
      }
    },
  };
}
