import { countOf } from '../core/size.ts';
import type { CopyFacts } from '../core/three-two-one.ts';
import { placementJob } from '../jobs/placement.ts';
import type { Placement } from '../operations/three-two-one/placement.ts';
import { defineCommand, flag } from './command.ts';
import { exitCodes } from './exit.ts';
import { type Style, table } from './output.ts';

export const destinationList = defineCommand({
  description: `Where every copy lies, production first, and what could be lost together: three copies on two media, one of them
elsewhere. Derived from paths, addresses and key ids; 'where:' in lifeboat.yaml goes before it. Needs no key.
With --check the exit code is 1 when the rule is broken.`,
  options: { check: flag('exit with 1 when the copies do not keep the rule') },
  async run({ options, job, out }) {
    const { document, answer } = await job(placementJob, {});
    out.answer(document, placementText);
    return options.check ? exitCodes[answer] : exitCodes.ok;
  },
});

const locks: Readonly<Record<CopyFacts['immutable'], string>> = {
  compliance: 'locked (compliance)',
  governance: 'locked (governance)',
  versions: 'keeps versions, not locked',
  none: 'not locked',
  unknown: 'not known',
};

function placementText(placement: Placement, style: Style): string {
  const { ok, copies, media, elsewhere, locked, findings, facts, unreachable } = placement;
  const counts = `${countOf(copies, 'copy', 'copies')}, ${countOf(media.length, 'medium', 'media')}, ${elsewhere.length} elsewhere, ${locked.length} locked`;
  const lines = [ok ? `${style.good('✓')} 3-2-1: ${counts}.` : `${style.bad('✗')} Not 3-2-1: ${counts}.`, ''];
  lines.push(table([['', ...columns].map((name) => style.dim(name)), ...facts.map((copy) => row(copy, style))]));
  if (findings.length > 0) lines.push('');
  for (const { severity, message, advice } of findings) {
    lines.push(`${severity === 'bad' ? style.bad('✗') : style.warn('!')} ${message}`, `    ${style.dim(advice)}`);
  }
  for (const { destination, why } of unreachable)
    lines.push(`${style.warn('!')} ${destination} does not answer: ${why}`);
  return lines.join('\n');
}

const columns = ['on', 'provider', 'region', 'account', 'site', 'against deletion'];

function row(copy: CopyFacts, style: Style): string[] {
  const { name, isProduction, provider, region, account, site, immutable } = copy;
  const known = [provider, region, account, site].map((fact) => fact ?? style.dim('–'));
  return [`  ${style.bold(name)}`, placeOf(copy), ...known, isProduction ? '' : locks[immutable]];
}

function placeOf({ medium, disks, machine, bucket }: CopyFacts): string {
  const where = machine === undefined ? '' : `, ${machine}`;
  if (medium === 'object storage') return `bucket ${bucket}${where}`;
  return disks.length > 0 ? `${disks.join(' + ')}${where}` : `${medium}${where}`;
}
