import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Run } from '../../core/run.ts';
import { sandboxNotIsolated } from '../../sandbox/errors.ts';
import { engineOf, placeOf } from '../../sources/engines.ts';
import type { RestorePoint } from '../../vault/index.ts';
import type { Copy, Drill } from './parts.ts';

/** Restores one dataset into the sandbox. Whatever its source throws rises unchanged. */
export async function bringBack(dataset: string, point: RestorePoint, drill: Drill, run: Run): Promise<Copy> {
  const { parts, sandbox, copies } = drill;
  const [config, source] = [parts.system.datasets[dataset], parts.sources[dataset]];
  if (config === undefined || source === undefined) throw new Error(`no source for ${dataset}`);
  const contents = await parts.vault.open(point, parts.identities);
  const { kind } = source;
  const common = { dataset, kind, point, contents };
  const engine = engineOf(kind);
  if (engine.rehearse !== undefined) {
    const before = [...copies.values()].filter((copy) => copy.kind === kind).length;
    const back = { name: dataset, source, contents, sandbox, before, ...heedingOf(drill) };
    return { ...common, ...(await engine.rehearse(config, back, run)) };
  }
  const folder = join(sandbox.restored, dataset);
  await mkdir(folder, { mode: 0o755 });
  const place = placeOf(config);
  const outside = join(folder, ('path' in place && basename(place.path)) || dataset);
  const restored = await source.restore(contents, { into: outside, force: false, only: [], rehearsal: true }, run);
  return { ...common, restored, outside, inside: sandbox.inside(outside), versions: {} };
}

/** What an engine has to tell the drill. */
function heedingOf({ sandbox, options, notes, secrets }: Drill) {
  return {
    demandWalls(why: string) {
      if (sandbox.footing === 'none' && !options.withoutIsolation) throw sandboxNotIsolated({ why });
    },
    note: (sentence: string) => void notes.push(sentence),
    addSecret: (text: string) => void secrets.add(text),
  };
}
