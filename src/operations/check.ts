import { sentenceOf } from '../core/errors.ts';
import { shortRecipient } from '../core/recipient-print.ts';
import type { Run } from '../core/run.ts';
import { formatSize } from '../core/size.ts';
import { refuseFullState } from '../host/state-folder.ts';
import { isRecipient, recipientOf, refused } from '../vault/age/index.ts';
import { type Checked, troubled } from './probe/checked.ts';
import { checkDestinations } from './probe/destinations.ts';
import type { OpenSystem } from './system.ts';

/**
 * Looks at all that a backup and a restore need, with small objects written, read back and removed at each destination.
 * What is wrong is a result, not an error.
 */
export async function checkSystem(
  system: OpenSystem,
  identities: readonly string[],
  run: Run,
): Promise<readonly Checked[]> {
  const { name, file, warnings, vault, datasets } = system.config;
  const configuration: Checked[] = [
    { area: 'configuration', name, result: 'good', message: `${file} is valid` },
    ...warnings.map(({ message }): Checked => ({ area: 'configuration', name, result: 'warning', message })),
  ];
  const keys = await run.step('keys', () => checkKeys(vault.recipients, identities));
  const destinations = await run.step('destinations', (run) => checkDestinations(system, run));
  const sources: Checked[] = [];
  for (const dataset of Object.keys(datasets)) {
    sources.push(...(await run.step(dataset, (run) => checkDataset(system, dataset, run))));
  }
  return [...configuration, ...checkState(system), ...keys, ...destinations, ...sources];
}

/** Backups need it; restores do not. */
function checkState({ config }: OpenSystem): Checked[] {
  try {
    refuseFullState(config.stateDir);
    return [];
  } catch (error) {
    return [troubled('configuration', config.name, error)];
  }
}

async function checkKeys(recipients: readonly string[], identities: readonly string[]): Promise<Checked[]> {
  const checked: Checked[] = recipients.map((recipient) => {
    const name = shortRecipient(recipient);
    return isRecipient(recipient)
      ? { area: 'key', name, result: 'good', message: 'well-formed recipient' }
      : {
          area: 'key',
          name,
          result: 'bad',
          message: sentenceOf(refused(recipient)),
          hint: "Copy it again from its key file's line '# public key:', or from the .pub file.",
        };
  });
  for (const identity of identities) {
    const recipient = recipientOf(identity);
    if (recipients.includes(recipient)) continue;
    checked.push({
      area: 'key',
      name: shortRecipient(recipient),
      result: 'warning',
      message: 'the identity given opens no new backup: its recipient is not in vault.recipients',
      hint: "Add it there, or give another. 'lifeboat keys check' tries it on what is stored.",
    });
  }
  return checked;
}

async function checkDataset(system: OpenSystem, name: string, run: Run): Promise<Checked[]> {
  try {
    const source = await system.source(name);
    const { versions, sizeBytes, problems } = await source.inspect(run);
    const facts = [
      source.location,
      ...(sizeBytes === undefined ? [] : [`about ${formatSize(sizeBytes)}`]),
      ...Object.entries(versions).map(([what, version]) => `${what} ${version}`),
    ];
    return [
      { area: 'dataset', name, result: 'good', message: facts.join(', ') },
      ...problems.map(({ message }): Checked => ({ area: 'dataset', name, result: 'warning', message })),
    ];
  } catch (error) {
    if (run.signal.aborted) throw error;
    return [troubled('dataset', name, error)];
  }
}
