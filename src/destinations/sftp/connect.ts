import { connect as connectSocket, type Socket } from 'node:net';
import ssh2, { type Client, type ConnectConfig, type SFTPWrapper } from 'ssh2';
import { destinationDenied, hostKeyUnknown } from '../errors.ts';
import type { SftpOptions } from '../options.ts';
import { hostKeyChanged, sftpNotOffered } from './errors.ts';
import { ConnectionLost, type Place } from './failure.ts';
import { fingerprintOf, type KnownKeys, typeOf, type Verdict } from './host-keys.ts';
import { type Session, type SessionTimes, sessionOver } from './session.ts';
import type { SigningIn } from './signing-in.ts';

export interface Target {
  readonly options: SftpOptions;
  readonly place: Place;
  readonly known: KnownKeys;
  readonly signIn: SigningIn;
  readonly times: SessionTimes;
}

/** The server's key is not one that we take. */
class WrongKey extends Error {
  readonly blob: Buffer;
  readonly verdict: Exclude<Verdict, 'right'>;

  constructor(blob: Buffer, verdict: Exclude<Verdict, 'right'>) {
    super('the host key was not taken');
    this.blob = blob;
    this.verdict = verdict;
  }
}

/**
 * Connects and signs in. Nothing, and no password, goes to a server whose key is not known.
 * @throws `host-key-unknown`, `host-key-changed`, `destination-denied`; `ConnectionLost`
 */
export async function connect(target: Target): Promise<Session> {
  const refused: WrongKey[] = [];
  for (;;) {
    try {
      return await attempt(
        target,
        refused.map(({ blob }) => typeOf(blob)),
      );
    } catch (error) {
      if (!(error instanceof WrongKey)) {
        if (refused[0] !== undefined && isNoMatch(error)) throw aboutKey(target, refused[0]);
        throw error;
      }
      // A server has a key of each type and shows one. A fingerprint does not say which type to ask for, so all are seen.
      if (error.verdict !== 'changed' || !target.known.fingerprints || refused.length === 2) {
        throw aboutKey(target, refused[0] ?? error);
      }
      refused.push(error);
    }
  }
}

async function attempt(target: Target, withoutTypes: readonly string[]): Promise<Session> {
  const { options, times, signIn, known } = target;
  const client = new ssh2.Client();
  const socket = connectSocket({ host: options.host, port: options.port });
  socket.setNoDelay(true).setKeepAlive(true, 30_000);
  let wrong: WrongKey | undefined;
  const hostVerifier = (blob: Buffer) => {
    const verdict = known.judge(blob);
    if (verdict !== 'right') wrong = new WrongKey(blob, verdict);
    return verdict === 'right';
  };
  const config = {
    ...signIn.config,
    sock: socket,
    username: options.user,
    hostVerifier,
    algorithms: { serverHostKey: hostKeyAlgorithms(known.types, withoutTypes) },
    readyTimeout: 0,
  } as ConnectConfig;
  try {
    return sessionOver(client, socket, await ready(client, socket, config, times.connectMs), times);
  } catch (error) {
    client.on('error', () => {});
    socket.destroy();
    throw wrong ?? (isNoMatch(error) ? error : whatHappened(error, target));
  }
}

async function ready(client: Client, socket: Socket, config: ConnectConfig, limitMs: number): Promise<SFTPWrapper> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  const late = () => reject(new ConnectionLost(`the server did not let us in within ${limitMs / 1000} s`));
  const timer = setTimeout(late, limitMs);
  let agentFailed: Error | undefined;
  const onError = (error: Error & { level?: string }) => {
    // The other ways of signing in are still tried.
    if (error.level === 'agent') agentFailed = error;
    else reject(Object.assign(error, agentFailed && { agentFailed }));
  };
  const onClose = () => reject(new ConnectionLost('the server closed the connection'));
  client.on('error', onError).on('close', onClose);
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, answer) => {
    answer(prompts.map(({ echo }) => (echo ? '' : (config.password ?? ''))));
  });
  client.on('ready', () => client.sftp((error, sftp) => (error ? reject(noSftp(error)) : resolve(sftp))));
  try {
    client.connect(config);
    return await promise;
  } finally {
    clearTimeout(timer);
    client.off('error', onError).off('close', onClose);
    socket.on('error', () => {});
  }
}

function noSftp(error: Error): Error {
  return Object.assign(error, { level: 'no-sftp' });
}

/** RSA keys sign with SHA-2 only. Known types come first, so that the server shows a key that we can compare. */
function hostKeyAlgorithms(known: readonly string[], without: readonly string[]): string[] {
  const algorithms: readonly (readonly [string, string])[] = [
    ['ssh-ed25519', 'ssh-ed25519'],
    ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
    ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
    ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
    ['rsa-sha2-512', 'ssh-rsa'],
    ['rsa-sha2-256', 'ssh-rsa'],
  ];
  const left = algorithms.filter(([, type]) => !without.includes(type));
  return [...left.filter(([, type]) => known.includes(type)), ...left.filter(([, type]) => !known.includes(type))].map(
    ([algorithm]) => algorithm,
  );
}

function isNoMatch(error: unknown): boolean {
  return error instanceof Error && /no matching host key/i.test(error.message);
}

function aboutKey({ options, place }: Target, { blob, verdict }: WrongKey): Error {
  const host = options.port === 22 ? options.host : `${options.host}:${options.port}`;
  const fingerprint = fingerprintOf(blob);
  const changed = (why: string) => hostKeyChanged({ destination: place.name, host, why });
  const shown = `the key ${fingerprint} (${typeOf(blob)})`;
  switch (verdict) {
    case 'changed':
      return changed(`shows ${shown}, which is none of those that are known of it`);
    case 'revoked':
      return changed(`shows ${shown}, which the known_hosts file calls revoked`);
    case 'certified':
    case 'unknown': {
      const file = options.knownHosts;
      const names = verdict === 'unknown' ? 'does not name it' : 'names only an authority for it, which is not checked';
      const why = file === undefined ? 'neither hostKeys nor knownHosts is given' : `${file} ${names}`;
      return hostKeyUnknown({ destination: place.name, host, why, fingerprint });
    }
  }
}

function whatHappened(error: unknown, { options, place, signIn }: Target): unknown {
  if (!(error instanceof Error) || error instanceof ConnectionLost) return error;
  const { level, code, agentFailed } = error as Error & { level?: string; code?: unknown; agentFailed?: Error };
  const denied = (why: string) =>
    destinationDenied({ destination: place.name, location: place.location, why }, { cause: error });
  if (level === 'client-authentication') {
    const agent = agentFailed === undefined ? '' : `; the agent failed (${agentFailed.message})`;
    return denied(`it does not let ${options.user} in with ${signIn.with}${agent}`);
  }
  if (level === 'no-sftp') {
    const why = shellText(error.message) ?? error.message;
    return sftpNotOffered({ destination: place.name, user: options.user, why }, { cause: error });
  }
  if (/no matching/i.test(error.message))
    return denied(`it speaks none of our ciphers or key exchanges (${error.message})`);
  return new ConnectionLost(whyLost(code, error.message), { cause: error });
}

/** What a shell prints before SFTP begins is taken for the length of an answer. */
function shellText(said: string): string | undefined {
  const length = /Packet length (\d+) exceeds/.exec(said)?.[1];
  if (length === undefined) return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number(length) >>> 0);
  const text = bytes.toString('latin1');
  return /^[\t\n\r -~]{4}$/.test(text) ? `the account's shell prints text first ("${text.trim()}…")` : undefined;
}

function whyLost(code: unknown, said: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens on that port';
    case 'ENOTFOUND':
      return 'nobody knows a host of that name';
    case 'EAI_AGAIN':
      return 'the name of the host cannot be looked up now';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'the host does not answer';
    default:
      return said || String(code);
  }
}
