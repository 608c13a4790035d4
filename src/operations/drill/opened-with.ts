import type { DrillEvidence } from '../../core/evidence.ts';
import { printOf } from '../../core/recipient-print.ts';
import type { Run } from '../../core/run.ts';
import { recipientOf } from '../../vault/age/index.ts';
import { tryKey } from '../../vault/read/index.ts';
import type { Found } from './choose.ts';
import type { DrillParts } from './parts.ts';

/**
 * Which of the identities given opens all of these restore points without the others. Where there was one only and everything
 * came back (`proved`), it was that one; otherwise each is tried on the beginnings of the objects.
 */
export async function openedWith(
  { identities, identityKind, vault }: DrillParts,
  found: Found,
  proved: boolean,
  run: Run,
): Promise<NonNullable<DrillEvidence['identity']>> {
  const opened: string[] = [];
  for (const identity of identities) {
    const known = proved && identities.length === 1;
    const opens = known || (found.points.size > 0 && (await opensAll(identity, vault, found, run.signal)));
    if (opens) opened.push(printOf(recipientOf(identity)));
  }
  return { kind: identityKind, opened: [...new Set(opened)].sort() };
}

async function opensAll(
  identity: string,
  { destinations, withNeeds }: DrillParts['vault'],
  { points }: Found,
  signal: AbortSignal,
): Promise<boolean> {
  const trials = destinations.map((destination) => ({
    name: destination.name,
    trial: tryKey(destination, identity, signal),
  }));
  for (const point of await withNeeds([...points.values()], signal)) {
    let opens = false;
    for (const { name, trial } of trials) {
      if (opens || !point.destinations.includes(name)) continue;
      // A copy that cannot be read says nothing of the key: another may.
      opens = await trial.whole(point.needs).then(
        (answer) => answer.opens,
        () => false,
      );
    }
    if (!opens) return false;
  }
  return true;
}
