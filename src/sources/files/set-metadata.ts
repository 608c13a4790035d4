import type { BytePath } from '../../core/paths.ts';
import type { Problem } from '../../core/run.ts';
import type { Owners } from '../../metadata/owners.ts';
import { eitherUnset, type Metadata, openMetadataSetter, type Unset } from '../../metadata/set.ts';
import type { Extracted } from '../source.ts';
import type { RootFacts } from './capture.ts';

/** What a folder was like that is no entry: the dataset's own. */
export function rootMetadata(root: RootFacts): Metadata {
  return { ...root, mtimeNs: BigInt(root.mtimeNs) };
}

/**
 * Gives a folder its owner, permissions, attributes and time. `place` may be a way through a descriptor; `path` is empty for the
 * dataset's own. What cannot be set is a problem, not a failure.
 */
export async function setFolder(
  place: BytePath,
  path: BytePath,
  metadata: Metadata,
  owners: Owners,
): Promise<{ problems: readonly Problem[]; unset: Unset }> {
  const setter = await openMetadataSetter({ ...owners, problems: () => [] });
  // Through `/.`, a descriptor's own link is followed, and the last name is no link.
  await setter.set([{ place: `${place}/.`, path, isLink: false, metadata }]);
  return { problems: setter.problems(), unset: setter.unset };
}

/** What was brought back, and a folder that got its metadata apart from it. */
export function together<T extends Extracted>(extracted: T, folder: Awaited<ReturnType<typeof setFolder>>): T {
  const said = new Set(extracted.problems.map(({ code }) => code));
  // That owners were not set is said once.
  const more = folder.problems.filter(({ code }) => code !== 'owner-not-set' || !said.has(code));
  const problems = [...extracted.problems, ...more];
  return { ...extracted, problems, unset: eitherUnset(extracted.unset, folder.unset) };
}
