import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { formatCount } from '../../core/size.ts';
import type { Destination } from '../../destinations/destination.ts';
import { writeStateFile } from '../../host/state-file.ts';
import { inState } from '../../host/state-names.ts';
import { formatNewer } from '../format/errors.ts';
import { type GenerationView, mustLookAnew, readView } from '../generations/index.ts';
import type { IndexCache } from '../index/cache.ts';
import type { Trust } from '../trust.ts';
import type { Copies } from './copies.ts';

export interface SeenGenerationParts {
  readonly vault: string;
  readonly trust: Trust;
  readonly system: string;
  readonly stateDir: string;
  readonly index: IndexCache;
  readonly copies: Copies;
  /** Lists what a destination holds into the index. */
  readonly lookAt: (destination: Destination) => Promise<void>;
  readonly run: Run;
}

/**
 * Reads the newest prune generation, each time anew. It never goes back: what was seen is kept on this host, for the day when
 * only a destination answers that lags. After a prune the index is compared with what is there, before anything is used again:
 * what was deleted is named in no later generation.
 */
export function generationReader(parts: SeenGenerationParts): () => Promise<GenerationView> {
  const { vault, trust, system, stateDir, index, copies, lookAt, run } = parts;
  const file = inState(stateDir, 'generation');
  let seen = readSeen(file, vault);
  return async () => {
    const view = await readView(copies.active, {
      vault,
      trust,
      system,
      remembered: seen,
      onFailure: (destination, error) => {
        if (formatNewer.is(error)) throw error;
        copies.drop(destination, error);
      },
      onSuspect: ({ name }, { key, error }, more) => {
        // What it withdraws is not known, so nothing may be used again.
        if (formatNewer.is(error)) throw error;
        const others = more > 0 ? ` ${formatCount(more)} more are, too.` : '';
        const message = `${key} in ${name} is passed over: ${sentenceOf(error)}${others}`;
        run.problem({ code: 'generation-suspect', message });
      },
    });
    if (view.number > (seen?.number ?? 0)) {
      seen = view;
      writeSeen(file, vault, view);
    }
    for (const destination of [...copies.active]) {
      // Of each by itself: one that was away when the others were looked at may have lost as much as they have.
      const fact = `looked at generation ${destination.name}`;
      if (!mustLookAnew(view, Number(index.get(fact) ?? 0))) continue;
      await lookAt(destination);
      if (copies.active.includes(destination)) index.set(fact, String(view.number));
    }
    return view;
  };
}

const shape = z.strictObject({
  vault: z.string(),
  number: z.int().min(1),
  tombstones: z.array(z.string()),
  sparse: z.array(z.string()),
  floors: z.array(z.tuple([z.string(), z.string()])),
  writers: z.array(z.string()),
});

function readSeen(file: string, vault: string): GenerationView | undefined {
  try {
    const { vault: of, tombstones, sparse, floors, ...rest } = shape.parse(JSON.parse(readFileSync(file, 'utf8')));
    const sets = { tombstones: new Set(tombstones), sparse: new Set(sparse), floors: new Map(floors) };
    return of === vault ? { ...rest, ...sets } : undefined;
  } catch {
    // It only matters while a destination lags; the destinations have it too.
    return undefined;
  }
}

function writeSeen(file: string, vault: string, view: GenerationView): void {
  const { number, tombstones, sparse, floors, writers } = view;
  writeStateFile(file, {
    ...{ vault, number, tombstones: [...tombstones], sparse: [...sparse] },
    ...{ floors: [...floors], writers },
  });
}
