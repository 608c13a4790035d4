import { stringify } from 'yaml';
import { showable } from '../config/show.ts';
import type { System } from '../config/system.ts';
import { type LeftOut, takesSomething } from '../core/left-out.ts';
import { readCounts } from '../operations/anomalies/known-counts.ts';
import { engineOf } from '../sources/engines.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';

export const configShow = defineCommand({
  description: `Secrets are shown as they are referred to, never their values. \`leavesOut\` names every rule that keeps something out of a
dataset, with what it left out of the last restore point that this machine took.`,
  options: {},
  async run({ config, out }) {
    const system = await config();
    out.answer(showable(system, leavesOut(system)), (document) => stringify(document, { lineWidth: 0 }));
    return exitCodes.ok;
  },
});

type Rule = Pick<LeftOut, 'rule' | 'by' | 'reason'> & Partial<LeftOut>;

/** By dataset that has rules. Amounts are of the last restore point that was taken here. */
function leavesOut({ datasets, stateDir }: System): Record<string, readonly Rule[]> {
  return Object.fromEntries(
    Object.values(datasets).flatMap((dataset) => {
      const named = engineOf(dataset.type).rulesOf?.(dataset);
      if (named === undefined) return [];
      const last =
        readCounts(stateDir, undefined, dataset.name).points.findLast(({ leftOut }) => leftOut)?.leftOut ?? [];
      const isOf = (one: Rule) => (other: Rule) => other.rule === one.rule && other.by === one.by;
      const rules = named.map((rule) => last.find(isOf(rule)) ?? rule);
      const others = last.filter((one) => takesSomething(one) && (one.by === 'always' || one.by === 'oneFileSystem'));
      return [[dataset.name, [...rules, ...others]]];
    }),
  );
}
