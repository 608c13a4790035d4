import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { lifeboat } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';

/** A bare machine with the identity from the safe, and a place that holds a whole vault of somebody who only knew its recipient. */
export interface Forgery {
  readonly root: string;
  /** The forged vault. */
  readonly vault: string;
  /** A plain age identity, as `age-keygen` makes it: nothing is written beside it. */
  readonly key: string;
  readonly bare: string;
  /** Public key of the forger. */
  readonly forger: string;
  /** Where the forged configuration says that it was. */
  readonly original: string;
  /** Stands for /etc. */
  readonly etc: string;
  run(...words: string[]): ReturnType<typeof lifeboat>;
  /** What the forged configuration did: programs run, connections made, files written outside of `bare`. */
  harm(): string[];
}

/** Secrets that a machine may have in its environment, and that a configuration can name. */
const secrets = {
  AWS_SECRET_ACCESS_KEY: 'of-the-machine',
  AWS_ACCESS_KEY_ID: 'id-of-the-machine',
  PGPASSWORD: 'of-the-user',
};

/**
 * Built with the product itself, on "another machine" whose paths are the same. It tries all that a configuration can: commands,
 * secrets in addresses, destinations that would be connected to, files anywhere, writers of its own.
 */
export async function forgery(
  more: { readonly writers?: readonly string[]; readonly user?: number } = {},
): Promise<Forgery> {
  const root = await temporaryFolder();
  const at = (...names: string[]) => join(root, ...names);
  const [original, etc, bare, vault, key] = [at('srv'), at('FAKE_ETC'), at('bare'), at('store'), at('offline.txt')];
  for (const folder of [original, bare, at('home'), at('data'), join(etc, 'cron.d'), join(etc, 'app')])
    mkdirSync(folder, { recursive: true });
  const pair = generateIdentity();
  writeFileSync(key, `# public key: ${pair.recipient}\n${pair.identity}\n`, { mode: 0o600 });
  const listener = await listening();
  const ran = at('EXECUTED');
  const mark = (what: string) => `echo ${what} >> ${ran}; echo postgres://127.0.0.1:${listener.port}/x`;
  writeFileSync(join(etc, 'cron.d/zz'), '* * * * * root touch /tmp/owned\n');
  writeFileSync(join(etc, 'authorized_keys'), 'ssh-ed25519 AAAA attacker\n', { mode: 0o600 });
  writeFileSync(join(etc, 'app/token'), 'a token\n', { mode: 0o644 });
  writeFileSync(join(etc, 'app/app.env'), 'X=1\n');
  writeFileSync(at('data/file'), 'forged\n');
  const host = `127.0.0.1:${listener.port}`;
  const list = JSON.stringify(more.writers ?? []);
  writeFileSync(
    join(original, 'lifeboat.yaml'),
    `version: 1
system: shop
envFile: ${etc}/app/app.env
vault: { recipients: [${pair.recipient}], writers: ${list}, pruners: ${list} }
destinations:
  store: { type: local, path: ${vault} }
  box:
    { type: sftp, required: false, host: 127.0.0.1, port: ${listener.port}, user: x, path: y,
      password: "\${file:${key}}", hostKeys: ["SHA256:${'A'.repeat(43)}"] }
  bucket: { type: s3, required: false, bucket: backups, endpoint: "http://${host}", region: x }
datasets:
  uploads: { type: files, path: ${at('data')} }
  a: { type: postgres, url: "\${command:${mark('a')}}" }
  b: { type: postgres, url: "postgres://x:\${AWS_SECRET_ACCESS_KEY:-none}@${host}/x" }
  c: { type: postgres, url: "postgres://x:\${file:${etc}/cron.d/zz}@${host}/x" }
  d: { type: postgres, url: "postgres://x:\${file:${etc}/authorized_keys}@${host}/x" }
  e: { type: postgres, url: "postgres://x:\${file:${etc}/app/token}@${host}/x" }
drill:
  app: { start: "${mark('start')}", ready: "http://127.0.0.1:\${PORT}/" }
  checks: { run: { type: command, run: "${mark('check')}" } }
`,
  );
  const made = await lifeboat(original, ['backup', '--json'], { LIFEBOAT_STATE_DIR: at('forger') });
  if (!existsSync(join(vault, 'vault.json'))) throw new Error(made.stdout + made.stderr);
  const seen = JSON.parse((await lifeboat(bare, ['bootstrap', vault, '--json'])).stdout);
  const forger: string = seen.survey.systems[0].writers[0].key;
  // Nothing of the other machine is on the bare one.
  for (const folder of [original, etc, at('data'), ran]) rmSync(folder, { recursive: true, force: true });
  await listener.forget();
  const { user } = more;
  if (user !== undefined) {
    chmodSync(root, 0o755);
    execFileSync('chown', ['-R', `${user}:${user}`, bare, key, vault, at('home')]);
  }
  const env = { ...secrets, HOME: at('home') };
  return {
    ...{ root, vault, key, bare, forger, original, etc },
    run: (...words) => lifeboat(bare, words, env, user),
    harm: () => [
      ...(existsSync(ran) ? [`ran: ${readFileSync(ran, 'utf8')}`] : []),
      ...(listener.connections() > 0 ? [`connected ${listener.connections()} times`] : []),
      ...[original, etc, at('data')].filter((path) => existsSync(path)),
    ],
  };
}

/** Counts who connects, and hangs up. */
async function listening() {
  let connections = 0;
  const server = createServer((caller) => {
    connections++;
    caller.destroy();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    async forget() {
      connections = 0;
    },
  };
}
