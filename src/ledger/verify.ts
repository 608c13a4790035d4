import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sentenceOf, whyOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { type LedgerObject, type LedgerVerdict, parseKey, verifyLedger } from '../vault/format/index.ts';
import { noLedgerThere } from './errors.ts';
import { readLedger } from './read.ts';

export interface VerifiedLedger extends LedgerVerdict {
  /** Copies that could not be read or are damaged, one sentence each. */
  readonly troubles: readonly string[];
}

export interface LedgerTrust {
  readonly vault?: string;
  /** Public keys; entries of any other are problems. */
  readonly writers?: readonly string[];
  /** Whose entries are judged; others' are counted apart. Everyone's when absent. */
  readonly isOurs?: (writer: string) => boolean;
  /** Whose checkpoints count; those of `writers`, or everyone's, when absent. */
  readonly decides?: (writer: string) => boolean;
  /** Keys of entries that must be there: the end of a chain, which itself cannot tell that it was cut off. */
  readonly known?: readonly string[];
}

/** Checks signatures and chains of the whole ledger. Needs no key and nothing but the destinations. */
export async function verifyEvidence(
  destinations: readonly Destination[],
  trust: LedgerTrust,
): Promise<VerifiedLedger> {
  const { isOurs, writers } = trust;
  const isHeard = isOurs ?? ((writer: string) => writers?.includes(writer) ?? true);
  const { objects, troubles } = await readLedger(destinations, isHeard);
  return judged(objects, troubles, trust);
}

/** The same for a folder of entries that was copied from anywhere: a vault's, its `ledger` folder, or only files. @throws `no-ledger-there` */
export async function verifyFolder(folder: string, trust: LedgerTrust): Promise<VerifiedLedger> {
  const inside = join(folder, 'ledger');
  const from = existsSync(inside) ? inside : folder;
  const names = await readdir(from).catch((error: unknown) => {
    throw noLedgerThere({ folder, why: whyOf(error) }, { cause: error });
  });
  const ours = names.filter((name) => parseKey(`ledger/${name}`)?.type === 'ledger').sort();
  if (ours.length === 0) throw noLedgerThere({ folder, why: 'it holds no entry' });
  const troubles: string[] = [];
  const objects: LedgerObject[] = [];
  for (const name of ours) {
    try {
      objects.push({ key: `ledger/${name}`, bytes: await readFile(join(from, name)) });
    } catch (error) {
      troubles.push(`${name}: ${sentenceOf(error)}`);
    }
  }
  return judged(objects, troubles, trust);
}

function judged(objects: readonly LedgerObject[], troubles: readonly string[], trust: LedgerTrust): VerifiedLedger {
  const verdict = verifyLedger(objects, trust);
  const keys = new Set(objects.map(({ key }) => key));
  const cut = (trust.known ?? [])
    .filter((key) => !keys.has(key))
    .map((key) => ({
      key,
      code: 'gap' as const,
      message: `${key}, which this host wrote last, is missing: the end was cut off.`,
    }));
  const problems = [...verdict.problems, ...cut];
  return { ...verdict, ok: problems.length === 0, problems, troubles };
}
