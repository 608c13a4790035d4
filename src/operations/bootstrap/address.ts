import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DestinationConfig, S3Destination, SftpDestination } from '../../config/system.ts';
import type { Expandable } from '../../core/references.ts';
import { addressUnclear } from './errors.ts';

/** What an address on the command line lacks: it must hold no secret, because other users of a machine can read it there. */
export interface AddressSecrets {
  /** Absent: environment, profile or instance role, as the AWS SDK finds them. */
  readonly s3?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** SHA256 fingerprints of the server. */
  readonly hostKeys: readonly string[];
  /** The text of an SSH private key. */
  readonly sshKey?: string;
  readonly sshPassphrase?: string;
  readonly sshPassword?: string;
  readonly agent: boolean;
}

const common = { required: false, where: {}, price: {} } as const;

/**
 * The destination that `text` names: a folder, `file://`, `s3://`, `sftp://`; in the latter a path that begins with `/~/`
 * starts at the login folder.
 * @throws `address-unclear`
 */
export function destinationAt(text: string, folder: string, secrets: AddressSecrets): DestinationConfig {
  const scheme = /^([a-z0-9+.-]+):\/\//i.exec(text)?.[1]?.toLowerCase();
  const unclear = (why: string) => addressUnclear({ address: withoutPassword(text), why });
  if (scheme === undefined && /^(s3|sftp|file):/i.test(text)) throw unclear('after the colon come two slashes');
  if (scheme === undefined) return { type: 'local', path: resolve(folder, text), ...common };
  if (!URL.canParse(text)) throw unclear('it is no URL');
  const url = new URL(text);
  if (url.password !== '') throw unclear('a password in it could be read by every user of this machine');
  switch (scheme) {
    case 'file':
      return { type: 'local', path: localPath(url, unclear), ...common };
    case 's3':
      return s3At(url, secrets, unclear);
    case 'sftp':
      return sftpAt(url, secrets, unclear);
    default:
      throw unclear(`${scheme} is not known`);
  }
}

type Unclear = (why: string) => Error;

function localPath(url: URL, unclear: Unclear): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw unclear('a file URL has three slashes and an absolute path');
  }
}

function s3At(url: URL, { s3 }: AddressSecrets, unclear: Unclear): S3Destination {
  const known = ['endpoint', 'region', 'pathStyle'];
  const strange = [...url.searchParams.keys()].find((name) => !known.includes(name));
  if (strange !== undefined) throw unclear(`'${strange}' is not known; there are ${known.join(', ')}`);
  const bucket = decodeURIComponent(url.hostname);
  if (bucket === '') throw unclear('it names no bucket');
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
  const [endpoint, region, pathStyle] = known.map((name) => url.searchParams.get(name) ?? undefined);
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@]+\/?$/.test(endpoint)) {
    throw unclear('endpoint must be a URL without a path: https://s3.example.com');
  }
  return {
    type: 's3',
    bucket,
    roles: {},
    ...common,
    ...(prefix !== '' && { prefix }),
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(pathStyle !== undefined && { pathStyle: pathStyle !== 'false' }),
    ...(s3 && { credentials: { accessKeyId: secret(s3.accessKeyId), secretAccessKey: secret(s3.secretAccessKey) } }),
  };
}

function sftpAt(url: URL, secrets: AddressSecrets, unclear: Unclear): SftpDestination {
  const { hostKeys, sshKey, sshPassphrase, sshPassword, agent } = secrets;
  if (url.username === '') throw unclear('it names no user: sftp://user@host/folder');
  if (url.search !== '') throw unclear('an sftp URL takes nothing after a question mark');
  const path = decodeURIComponent(url.pathname).replace(/^\/~\//, '');
  if (path === '' || path === '/') throw unclear('it names no folder on the server');
  return {
    type: 'sftp',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 22 : Number(url.port),
    user: decodeURIComponent(url.username),
    path,
    hostKeys,
    agent,
    ...common,
    ...(sshKey !== undefined && { key: secret(sshKey) }),
    ...(sshPassphrase !== undefined && { passphrase: secret(sshPassphrase) }),
    ...(sshPassword !== undefined && { password: secret(sshPassword) }),
  };
}

function secret(text: string): Expandable {
  return { shown: '****', expand: async () => text };
}

function withoutPassword(text: string): string {
  return text.replace(/^([a-z0-9+.-]+:\/\/[^/@:]*):[^/@]*@/i, '$1:****@');
}
