import { resolve } from 'node:path';
import { formatMoment, parseMoment } from '../core/moment.ts';
import { countOf, formatSize } from '../core/size.ts';
import { type BootstrapOutcome, bootstrap as bootstrapFrom } from '../operations/bootstrap/bootstrap.ts';
import type { SurveyedSystem } from '../operations/bootstrap/survey.ts';
import { addressOptions, openedAddress } from './address-options.ts';
import { askAt } from './ask.ts';
import { defineCommand, flag, many, value } from './command.ts';
import { asked, askWriterAt } from './consent.ts';
import { exitCodes } from './exit.ts';
import { offerLines } from './offer-text.ts';
import { type Style, table } from './output.ts';

interface BootstrapReport extends BootstrapOutcome {
  /** The next command, as a line for the shell; null until the configuration is back. */
  readonly next: string | null;
}

export const bootstrap = defineCommand({
  words: '<address>',
  description: `On a machine that has nothing but Lifeboat: looks into the vault at an address and prints what is there. With
--identity it also brings the configuration back, into the folder that --into names. It believes the writers that stand beside the
key or that the key endorsed, and asks about any other. It shows all that the configuration does before anything in it is used: what
it runs, connects to, reads and writes. After a yes, or with --trust, it says what is different on this machine, and may write to
where the files were. Then it prints the second command, which brings everything back.

  lifeboat bootstrap "s3://backups/harbor?endpoint=https://s3.example.com&region=eu-1"
  lifeboat bootstrap sftp://lifeboat@vault.example.com/srv/vault --identity offline.txt --into back
  lifeboat bootstrap /mnt/usb/backups --identity offline.txt --at "2 days ago" --into back

Credentials for S3 come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), a profile or the machine's role, those for
SFTP from the SSH agent or ~/.ssh; a person at a terminal is asked for what is missing.`,
  options: {
    into: value('<folder>', 'where the configuration goes (default: where it was on the lost host, after a yes)'),
    system: value('<name>', 'which system, where a vault serves several'),
    at: value('<moment>', 'the newest copy of the configuration at or before it (default: latest)'),
    acceptWriter: many('<key>', 'believe restore points that these public keys signed, and no others'),
    trust: flag('say yes to all that the configuration does: for scripts, once somebody has read it'),
    ...addressOptions,
  },
  async run({ words, options, common, keys, env, clock, run, out }) {
    const [address = ''] = words;
    const { into, system, at, acceptWriter, trust } = options;
    const ask = askAt(process.stdin, process.stderr, run.signal);
    let wasShown = false;
    const given = common.identity.length === 0 ? { identities: [], vouched: [] } : await keys();
    const opened = await openedAddress(address, options, { env, run });
    const moment = parseMoment(at ?? 'latest', clock.now());
    const request = {
      ...given,
      from: opened.config,
      acceptWriters: acceptWriter,
      askWriter: askWriterAt(ask),
      async confirm(offer: NonNullable<BootstrapOutcome['offer']>) {
        // In a folder of its own it can be read first: the command that uses it asks.
        if (trust || into !== undefined) return trust;
        wasShown = await asked(ask, offerLines(offer, clock.now(), out.style), 'Use it on this machine?');
        return wasShown;
      },
      env,
      clock,
      ...(system !== undefined && { system }),
      ...(into !== undefined && { into }),
      ...(moment !== 'latest' && { atMs: moment }),
    };
    const outcome = await bootstrapFrom(request, run);
    const next = nextCommand(outcome, address, { ...options, hostKey: opened.hostKeys }, common.identity);
    const text = (report: BootstrapReport, style: Style) => bootstrapText(report, wasShown, clock.now(), style);
    out.answer<BootstrapReport>({ ...outcome, next }, text);
    const isDone = given.identities.length === 0 || outcome.restored !== undefined;
    return outcome.survey.suspect.length === 0 && isDone ? exitCodes.ok : exitCodes.no;
  },
});

interface Given {
  readonly at: string | undefined;
  readonly hostKey: readonly string[];
  readonly sshKey: string | undefined;
}

function nextCommand(
  { restored }: BootstrapOutcome,
  address: string,
  { at, hostKey, sshKey }: Given,
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
    // Whoever looks at the past for the configuration wants the data of then too.
    ...(at === undefined ? [] : ['--at', at]),
    ...(restored.differences.leadsThere ? [] : from),
    ...identities.flatMap((file) => ['--identity', /^command:/.test(file) ? file : resolve(file)]),
  ];
  return parts.map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** @param wasShown whether a person has just seen and answered what the configuration does */
function bootstrapText(report: BootstrapReport, wasShown: boolean, nowMs: number, style: Style): string {
  const { location, survey, offer, restored, damage, next } = report;
  const lines = [`${style.good('✓')} ${location} holds vault ${survey.vault}.`];
  for (const system of survey.systems) lines.push('', ...systemLines(system, nowMs, style));
  if (survey.systems.length === 0) lines.push('It holds no restore point yet.');
  for (const { key, why } of survey.suspect) lines.push(`${style.bad('✗')} ${key} cannot be believed: ${why}`);
  for (const { key, why } of damage) lines.push(`${style.warn('!')} ${key}: ${why}`);
  if (offer === undefined) {
    const unbelieved = 'Nobody is believed yet: whoever can write to this place could have put all of it there.';
    return [...lines, '', unbelieved, 'To bring its configuration back, pass the key: --identity FILE.'].join('\n');
  }
  if (!wasShown) lines.push('', ...offerLines(offer, nowMs, style));
  if (restored === undefined) {
    const how = 'To look first: --into FOLDER. To have it where it was: answer yes at a terminal, or --trust.';
    return [...lines, '', style.bold('Nothing was written, and nothing in it was used.'), how].join('\n');
  }
  lines.push('');
  for (const { path, existed } of offer.places) {
    lines.push(existed ? `  ${path} ${style.dim('was there already, the same')}` : `${style.good('✓')} ${path}`);
  }
  for (const note of restored.differences.notes) lines.push(`${style.warn('!')} ${note}`);
  if (!restored.confirmed) lines.push('', 'Nothing in it was used yet. Read it; the next command asks once more.');
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
  const signed = writers.slice(0, mostWriters).map(({ key, restorePoints, since, until }) => {
    const span = `${formatMoment(Date.parse(since), nowMs)} to ${formatMoment(Date.parse(until), nowMs)}`;
    return `  ${style.dim(`signed by ${key}: ${countOf(restorePoints, 'restore point')}, ${span}`)}`;
  });
  if (writers.length > mostWriters) signed.push(`  and by ${writers.length - mostWriters} more`);
  return [`${style.bold(system)}, ${formatSize(storedBytes)} stored`, table(rows), ...signed];
}

/** Whoever can write to the store can add as many as they like. */
const mostWriters = 20;
