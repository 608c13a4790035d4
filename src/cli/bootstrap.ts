import { resolve } from 'node:path';
import { formatMoment, parseMoment } from '../core/moment.ts';
import { countOf, formatSize } from '../core/size.ts';
import { type BootstrapOutcome, bootstrap as bootstrapFrom } from '../operations/bootstrap/bootstrap.ts';
import type { SurveyedSystem } from '../operations/bootstrap/survey.ts';
import { addressOptions, openedAddress } from './address-options.ts';
import { defineCommand, many, value } from './command.ts';
import { exitCodes } from './exit.ts';
import { type Style, table } from './output.ts';

interface BootstrapReport extends BootstrapOutcome {
  /** The second command, as a line for the shell; null until the configuration is back. */
  readonly next: string | null;
}

export const bootstrap = defineCommand({
  words: '<address>',
  description: `On a machine that has nothing but Lifeboat: looks into the vault at an address and prints what is there. With
--identity it also brings the configuration back, to where it was or into a folder, overwrites nothing, says what is different on
this machine, and prints the second command. That one brings everything back.

  lifeboat bootstrap "s3://backups/harbor?endpoint=https://s3.example.com&region=eu-1" --identity offline.txt
  lifeboat bootstrap sftp://lifeboat@vault.example.com/srv/vault --identity offline.txt
  lifeboat bootstrap /mnt/usb/backups --identity offline.txt

Credentials for S3 come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), a profile or the machine's role, those for
SFTP from the SSH agent or ~/.ssh; a person at a terminal is asked for what is missing.`,
  options: {
    into: value('<folder>', 'where the configuration goes (default: where it was on the lost host)'),
    system: value('<name>', 'which system, where a vault serves several'),
    at: value('<moment>', 'the newest copy of the configuration at or before it (default: latest)'),
    acceptWriter: many('<key>', 'believe only restore points that these public keys signed'),
    ...addressOptions,
  },
  async run({ words, options, common, identities, env, clock, run, out }) {
    const [address = ''] = words;
    const { into, system, at, acceptWriter } = options;
    const keys = common.identity.length === 0 ? [] : await identities();
    const opened = await openedAddress(address, options, { env, run });
    const moment = parseMoment(at ?? 'latest', clock.now());
    const request = {
      from: opened.config,
      identities: keys,
      acceptWriters: acceptWriter,
      env,
      clock,
      ...(system !== undefined && { system }),
      ...(into !== undefined && { into }),
      ...(moment !== 'latest' && { atMs: moment }),
    };
    const outcome = await bootstrapFrom(request, run);
    const next = nextCommand(outcome, address, { ...options, hostKey: opened.hostKeys }, common.identity);
    out.answer<BootstrapReport>({ ...outcome, next }, (report, style) => bootstrapText(report, clock.now(), style));
    return outcome.survey.suspect.length === 0 ? exitCodes.ok : exitCodes.no;
  },
});

function nextCommand(
  { restored }: BootstrapOutcome,
  address: string,
  { hostKey, sshKey }: { hostKey: readonly string[]; sshKey: string | undefined },
  identities: readonly string[],
): string | null {
  if (restored === undefined) return null;
  const isFolder = !/^[a-z0-9+.-]+:\/\//i.test(address);
  const from = [
    ...['--from', isFolder ? resolve(address) : address],
    ...hostKey.flatMap((key) => ['--host-key', key]),
    ...(sshKey === undefined ? [] : ['--ssh-key', resolve(sshKey)]),
  ];
  const parts = [
    ...['lifeboat', 'recover', '--config', restored.file],
    ...(restored.differences.leadsThere ? [] : from),
    ...identities.flatMap((file) => ['--identity', resolve(file)]),
  ];
  return parts.map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function bootstrapText(
  { location, survey, restored, damage, next }: BootstrapReport,
  nowMs: number,
  style: Style,
): string {
  const lines = [`${style.good('✓')} ${location} holds vault ${survey.vault}.`];
  for (const system of survey.systems) lines.push('', ...systemLines(system, nowMs, style));
  if (survey.systems.length === 0) lines.push('It holds no restore point yet.');
  for (const { key, why } of survey.suspect) lines.push(`${style.bad('✗')} ${key} cannot be believed: ${why}`);
  for (const { key, why } of damage) lines.push(`${style.warn('!')} ${key}: ${why}`);
  if (restored === undefined) {
    return [...lines, '', 'To bring its configuration back, pass the key: --identity FILE.'].join('\n');
  }
  const { files, time, differences } = restored;
  lines.push('', `The configuration as of ${formatMoment(Date.parse(time), nowMs)}:`);
  for (const { path, existed } of files) {
    lines.push(existed ? `  ${path} ${style.dim('was there already, the same')}` : `${style.good('✓')} ${path}`);
  }
  for (const note of differences.notes) lines.push(`${style.warn('!')} ${note}`);
  return [...lines, '', 'Next, everything else:', `  ${style.bold(next ?? '')}`].join('\n');
}

function systemLines(
  { system, datasets, writers, storedBytes }: SurveyedSystem,
  nowMs: number,
  style: Style,
): string[] {
  const rows = datasets.map(({ dataset, kind, restorePoints, newest }) => [
    `  ${dataset}`,
    kind,
    newest === null ? 'no restore point that is believed' : formatMoment(Date.parse(newest.time), nowMs),
    newest === null ? '' : formatSize(newest.sizeBytes),
    countOf(restorePoints, 'restore point'),
  ]);
  const signed = writers.map(({ key, restorePoints, since, until }) => {
    const span = `${formatMoment(Date.parse(since), nowMs)} to ${formatMoment(Date.parse(until), nowMs)}`;
    return `  ${style.dim(`signed by ${key}: ${countOf(restorePoints, 'restore point')}, ${span}`)}`;
  });
  return [`${style.bold(system)}, ${formatSize(storedBytes)} stored`, table(rows), ...signed];
}
