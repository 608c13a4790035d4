import type { BytePath } from '../../core/paths.ts';
import type { Owners } from '../../metadata/owners.ts';
import { eitherUnset, type Metadata, openMetadataSetter, type Unset } from '../../metadata/set.ts';
import type { Extracted } from '../source.ts';
import type { RootFacts } from './capture.ts';

/** What a folder was like that is no entry: the dataset's own. */
export function rootMetadata(root: RootFacts): Metadata {
  return { ...root, mtimeNs: BigInt(root.mtimeNs) };
}

type SetApart = Pick<Extracted, 'problems' | 'held'> & { readonly unset: Unset };

/**
 * Gives a folder its owner, permissions, attributes and time. `place` may be a way through a descriptor; `path` is empty for the
 * dataset's own. What cannot be set is a problem, not a failure.
 */
export async function setFolder(
  place: BytePath,
  path: BytePath,
  metadata: Metadata,
  owners: Owners,
  protects = true,
): Promise<SetApart> {
  const setter = await openMetadataSetter({ ...owners, problems: () => [] }, protects);
  // Through `/.`, a descriptor's own link is followed, and the last name is no link.
  await setter.set([{ place: `${place}/.`, path, isLink: false, metadata }]);
  return { problems: setter.problems(), unset: setter.unset, held: setter.held };
}

/** What was brought back, and metadata that was set apart from it. */
export function together<T extends Extracted>(extracted: T, apart: SetApart): T {
  const said = new Set(extracted.problems.map(({ code }) => code));
  // That owners were not set is said once.
  const more = apart.problems.filter(({ code }) => code !== 'owner-not-set' || !said.has(code));
  const problems = [...extracted.problems, ...more];
  return {
    ...extracted,
    problems,
    unset: eitherUnset(extracted.unset, apart.unset),
    held: extracted.held === true || apart.held === true,
  };
}
