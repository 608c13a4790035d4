import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { OpenSystem } from '../system.ts';
import { copyVault } from './copy.ts';
import { copiesLagging } from './errors.ts';
import { noteHealth } from './health.ts';

interface Held {
  /** Names of the destinations that have it. */
  readonly heldBy: readonly string[];
}

interface Taken<Point extends Held> {
  readonly backedUp: readonly Point[];
  readonly configuration: Point | undefined;
}

/** What a backup has done before the destinations that it set aside are brought up to date. */
export interface TakenRestorePoints<Outcome> {
  readonly outcome: Outcome;
  readonly failures: ReadonlyArray<{ readonly name: string; readonly error: unknown }>;
  /** Destinations that lacked too much to wait for them, and what. */
  readonly aside: ReadonlyMap<string, string>;
}

/** Fills what was set aside, notes how each destination was found, and says which hold the new restore points. */
export async function finishCopies<Point extends Held, Outcome extends Taken<Point>>(
  system: OpenSystem,
  { outcome, failures, aside }: TakenRestorePoints<Outcome & Taken<Point>>,
  refill: boolean,
  run: Run,
): Promise<Outcome & { readonly behind: ReadonlyArray<{ readonly destination: string; readonly why: string }> }> {
  const left = aside.size === 0 ? new Map<string, string>() : await fillAside(system, aside, refill, run);
  const behind = [
    ...failures.map(({ name, error }) => ({ destination: name, why: sentenceOf(error) })),
    ...[...left].map(([destination, why]) => ({ destination, why })),
  ];
  noteHealth(system, [
    ...failures.map(({ name, error }) => ({ name, error })),
    ...[...left].map(([name, why]) => ({ name, error: copiesLagging({ destination: name, why }) })),
  ]);
  const filled = [...aside.keys()].filter((name) => !left.has(name));
  const held = (point: Point): Point => ({ ...point, heldBy: [...point.heldBy, ...filled] });
  return {
    ...outcome,
    backedUp: outcome.backedUp.map(held),
    configuration: outcome.configuration && held(outcome.configuration),
    behind,
  };
}

/** Those that are still not whole, and why. */
async function fillAside(
  system: OpenSystem,
  aside: ReadonlyMap<string, string>,
  refill: boolean,
  run: Run,
): Promise<Map<string, string>> {
  try {
    const { filled } = await run.step('bring up to date', (run) =>
      copyVault(system, { to: [...aside.keys()], refill }, run),
    );
    return new Map(
      filled.flatMap(({ destination, behind }) => (behind === undefined ? [] : [[destination, behind] as const])),
    );
  } catch (error) {
    if (run.signal.aborted) throw error;
    return new Map([...aside].map(([name, lacks]) => [name, `${sentenceOf(error)} So far ${lacks}.`]));
  }
}
