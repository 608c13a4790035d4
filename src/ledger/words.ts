import { formatDuration } from '../core/duration.ts';
import type { DrillEvidence } from '../core/evidence.ts';
import { countOf, formatSize } from '../core/size.ts';
import { acceptBodyOf } from './acceptances.ts';
import type { BackupBody, ConfigurationBody, KeyBody, RestoreBody, RestoredBody } from './bodies.ts';
import { wrongPacksOf } from './wrong-packs.ts';

/** An entry of the audit log in plain words. What another version wrote, or a stranger, is shown as it is. */
export function inWords(kind: string, body: Readonly<Record<string, unknown>>): string {
  try {
    return words(kind, body) ?? JSON.stringify(body);
  } catch {
    return JSON.stringify(body);
  }
}

function words(kind: string, body: unknown): string | undefined {
  switch (kind) {
    case 'backup':
      return backupWords(body as BackupBody);
    case 'restore':
      return restoreWords(body as RestoreBody);
    case 'drill': {
      const { outcome, scope, checks, identity } = body as DrillEvidence;
      const passed = checks.filter(({ verdict }) => verdict === 'pass').length;
      return `${scope.datasets.map(({ dataset }) => dataset).join(', ')}: ${outcome.verdict}, ${passed} of ${countOf(checks.length, 'check')}${keyWords(identity?.opened ?? [])}`;
    }
    case 'configuration': {
      const { old, new: now } = body as ConfigurationBody;
      return old === null
        ? `lifeboat.yaml ${short(now)}, the first that this host noted`
        : `lifeboat.yaml changed: ${short(old)} became ${short(now)}`;
    }
    case 'key': {
      const { action, by, keys } = body as KeyBody;
      if (action === 'used') return `used by ${by}${keyWords(keys)}`;
      const { added, removed, admitted } = body as Readonly<Record<string, readonly string[]>>;
      if (action === 'admitted') return `${admitted!.map(short).join(', ')} let in to what was stored before`;
      return [...added!.map((key) => `${short(key)} added`), ...removed!.map((key) => `${short(key)} removed`)].join(
        ', ',
      );
    }
    case 'prune':
      return pruneWords(body as PruneBody);
    case 'checkpoint': {
      const { chains } = body as { chains: ReadonlyArray<{ through: number; kept: readonly unknown[] }> };
      const under = chains.reduce((sum, { through, kept }) => sum + through - kept.length, 0);
      return `${countOf(under, 'entry', 'entries')} of this log that nothing rests on may go`;
    }
    case 'pin': {
      const { action, point, reason, until } = body as {
        action: string;
        point: string;
        reason?: string;
        until?: string;
      };
      if (typeof point !== 'string') return undefined;
      if (action === 'unpin') return `${point} is no longer pinned`;
      return `${point} pinned${until === undefined ? '' : ` until ${until.slice(0, 16)}Z`}: ${reason ?? 'no reason'}`;
    }
    case 'accept': {
      const said = acceptBodyOf(body);
      if (said === undefined) return undefined;
      if (said.action === 'withdraw') return `${said.dataset}: ${said.code} is no longer accepted`;
      const end = said.until === null ? '' : ` until ${said.until.slice(0, 16)}Z`;
      const from = said.before === null ? '' : `, ${formatSize(said.before.bytes)} before`;
      return `${said.dataset}: ${said.code} accepted${end} with ${said.point} (${formatSize(said.now.bytes)}${from}): ${said.reason}`;
    }
    case 'erase': {
      const { points } = body as { points: readonly string[] };
      return `${countOf(points.length, 'restore point')} erased before their time: ${points.join(', ')}`;
    }
    case 'wrong-packs': {
      const said = wrongPacksOf(body);
      if (said === undefined) return undefined;
      return `${said.system}: ${countOf(said.packs.length, 'pack')} found wrong, to be sent anew: ${said.packs.map(short).join(', ')}`;
    }
    case 'lock': {
      const { destinations } = body as { destinations: readonly { destination: string; extended: number }[] };
      return destinations
        .map(({ destination, extended }) => `${countOf(extended, 'lock')} extended at ${destination}`)
        .join(', ');
    }
    case 'copy': {
      const { destinations } = body as {
        destinations: readonly { destination: string; objects: number; bytes: number }[];
      };
      return destinations
        .map(
          ({ destination, objects, bytes }) => `${countOf(objects, 'object')} (${formatSize(bytes)}) to ${destination}`,
        )
        .join(', ');
    }
    default:
      return undefined;
  }
}

interface PruneBody {
  readonly step: string;
  readonly removed?: readonly string[];
  readonly retired?: readonly string[];
  readonly junk?: readonly string[];
  readonly destinations?: Readonly<Record<string, { records: number; objects: number; bytes: number }>>;
}

function pruneWords({ step, removed = [], retired = [], junk = [], destinations = {} }: PruneBody): string | undefined {
  if (step === 'mark') {
    const gone = retired.length === 0 ? '' : `; ${countOf(retired.length, 'writer')} will not write again`;
    const passed =
      junk.length === 0
        ? ''
        : `; ${countOf(junk.length, 'object')} accepted that ${junk.length === 1 ? 'is' : 'are'} no record`;
    return `${countOf(removed.length, 'restore point')} marked to go${gone}${passed}`;
  }
  if (step !== 'sweep') return undefined;
  return Object.entries(destinations)
    .map(([name, { objects, bytes }]) => `${countOf(objects, 'object')} (${formatSize(bytes)}) removed from ${name}`)
    .join(', ');
}

function backupWords({ restorePoints, configuration, failed, behind }: BackupBody): string {
  const stored = restorePoints.reduce((sum, one) => sum + one.storedBytes, 0);
  const names = restorePoints.map(({ dataset }) => dataset).join(', ');
  return [
    restorePoints.length === 0 ? 'no restore point' : `${names}: ${formatSize(stored)} stored`,
    ...(configuration === null ? [] : ['lifeboat.yaml kept']),
    ...(failed.length === 0 ? [] : [`FAILED: ${failed.map(({ dataset, code }) => `${dataset} (${code})`).join(', ')}`]),
    ...(behind.length === 0 ? [] : [`not at ${behind.join(', ')}`]),
  ].join('; ');
}

function restoreWords({ restores, target, whole, keys, rtoMs }: RestoreBody): string {
  const where = target === 'original' ? 'to where it was' : 'elsewhere';
  const part = whole ? '' : ', a part of it';
  const took = rtoMs === null ? '' : ` in ${formatDuration(rtoMs)}`;
  return `${restores.map(restoredWords).join(', ')} ${where}${part}${took}${keyWords(keys)}`;
}

function restoredWords({ dataset, outcome, code, time, passedOver, compared }: RestoredBody): string {
  if (outcome === 'failed') return `${dataset} FAILED (${code})`;
  const found = compared == null || compared.verdict === 'as recorded' ? '' : `, ${compared.verdict}`;
  const newer = passedOver === undefined ? '' : `, ${passedOver.count} newer passed over`;
  return `${dataset} as of ${time?.slice(0, 16)}Z${newer}${found}`;
}

function keyWords(keys: readonly string[]): string {
  return keys.length === 0 ? '' : `, with key ${keys.map(short).join(', ')}`;
}

function short(hex: string): string {
  return hex.slice(0, 8);
}
