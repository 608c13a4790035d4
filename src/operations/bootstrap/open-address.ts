import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { DestinationConfig } from '../../config/system.ts';
import { whyOf } from '../../core/errors.ts';
import { hostKeyUnknown } from '../../destinations/errors.ts';
import { openDestination } from '../../destinations/registry.ts';
import { destinationOptions } from '../destination-options.ts';
import { addressed } from '../find-vault.ts';
import { type AddressSecrets, destinationAt } from './address.ts';
import { sshKeyUnreadable } from './errors.ts';

export interface AddressRequest {
  /** `s3://…`, `sftp://…`, a folder. */
  readonly address: string;
  /** Relative folders start here. */
  readonly folder: string;
  /** `SHA256:…` */
  readonly hostKeys: readonly string[];
  /** A file with an SSH private key; the agent and the usual files when absent. */
  readonly sshKey?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Undefined when nobody is there to answer. */
  readonly ask: (question: string, how?: { readonly secret: boolean }) => Promise<string | undefined>;
}

export interface OpenedAddress {
  readonly config: DestinationConfig;
  /** What the server showed and was accepted, beyond what was given. */
  readonly hostKeys: readonly string[];
}

/**
 * The destination that an address names, with credentials from where its tools keep them, or asked for. A server's key that
 * nobody knows is accepted only by a person who compared its fingerprint.
 * @throws `address-unclear`, `host-key-unknown`, `ssh-key-unreadable`
 */
export async function openAddress(request: AddressRequest): Promise<OpenedAddress> {
  const { address, folder, hostKeys, ask } = request;
  const secrets = { hostKeys, agent: false };
  const bare = destinationAt(address, folder, secrets);
  if (bare.type === 'local') return { config: bare, hostKeys };
  if (bare.type === 's3')
    return { config: destinationAt(address, folder, { ...secrets, ...(await s3Keys(request)) }), hostKeys };

  const complete = async (keys: readonly string[]) =>
    destinationAt(address, folder, { ...secrets, hostKeys: keys, ...(await sshSecrets(request)) });
  const config = await complete(hostKeys);
  const shown = await fingerprintOf(config);
  if (shown === undefined) return { config, hostKeys };
  const question = `${bare.host} shows the key ${shown.fingerprint}.\nIs that the key of the server that holds your backups? (yes/no)`;
  if ((await ask(question)) !== 'yes') throw shown.error;
  const accepted = [...hostKeys, shown.fingerprint];
  return { config: await complete(accepted), hostKeys: accepted };
}

/** What an unknown server shows; undefined when it is known, or something else is wrong, which is found out again. */
async function fingerprintOf(config: DestinationConfig): Promise<{ fingerprint: string; error: Error } | undefined> {
  try {
    await openDestination(addressed, await destinationOptions(config, 'reader'));
  } catch (error) {
    if (hostKeyUnknown.is(error)) return { fingerprint: error.facts.fingerprint, error };
  }
  return undefined;
}

async function s3Keys({ env, ask }: AddressRequest): Promise<Pick<AddressSecrets, 's3'>> {
  const home = env.HOME || homedir();
  const files = [
    env.AWS_SHARED_CREDENTIALS_FILE,
    env.AWS_CONFIG_FILE,
    join(home, '.aws/credentials'),
    join(home, '.aws/config'),
  ];
  const known = [
    'AWS_ACCESS_KEY_ID',
    'AWS_PROFILE',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  ];
  if (known.some((name) => env[name]) || files.some((file) => file && existsSync(file))) return {};
  const accessKeyId = await ask("Access key id (empty: use this machine's own role):");
  if (accessKeyId === undefined) return {};
  const secretAccessKey = await ask('Secret access key:', { secret: true });
  return secretAccessKey === undefined ? {} : { s3: { accessKeyId, secretAccessKey } };
}

type SshSecrets = Pick<AddressSecrets, 'sshKey' | 'sshPassphrase' | 'sshPassword' | 'agent'>;

async function sshSecrets({ sshKey, env, ask }: AddressRequest): Promise<SshSecrets> {
  if (sshKey !== undefined) return { agent: false, ...(await keyIn(sshKey, ask)) };
  if (env.SSH_AUTH_SOCK) return { agent: true };
  const usual = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(env.HOME || homedir(), '.ssh', name));
  const file = usual.find((one) => existsSync(one));
  if (file !== undefined) return { agent: false, ...(await keyIn(file, ask)) };
  const sshPassword = await ask('Password on the server:', { secret: true });
  return { agent: false, ...(sshPassword !== undefined && { sshPassword }) };
}

async function keyIn(
  file: string,
  ask: AddressRequest['ask'],
): Promise<Pick<AddressSecrets, 'sshKey' | 'sshPassphrase'>> {
  const sshKey = await readFile(file, 'utf8').catch((error: unknown) => {
    throw sshKeyUnreadable({ file, why: whyOf(error) }, { cause: error });
  });
  if (!isEncrypted(sshKey)) return { sshKey };
  const sshPassphrase = await ask(`Passphrase of ${file}:`, { secret: true });
  return { sshKey, ...(sshPassphrase !== undefined && { sshPassphrase }) };
}

/** OpenSSH's own format names its cipher near the beginning; the older ones say so in words. */
function isEncrypted(key: string): boolean {
  if (/ENCRYPTED/.test(key)) return true;
  const body = /BEGIN OPENSSH PRIVATE KEY-+([A-Za-z0-9+/=\s]+)/.exec(key)?.[1];
  if (body === undefined) return false;
  return Buffer.from(body, 'base64').subarray(0, 64).toString('latin1').includes('bcrypt');
}
