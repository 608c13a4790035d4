import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { type Stage, setStage } from './stage.ts';

/** What another user of this host tries while a drill's copies lie there. A line for everything that succeeds. */
const attack = String.raw`
  tried=0
  for at in $(find "$1" /tmp/lifeboat-drill-* -xdev \( -type f -o -type d -o -type s \) 2>/dev/null); do
    tried=$((tried + 1))
    [ -f "$at" ] && grep -qs PLAINTEXT "$at" && echo "read $at"
    [ -w "$at" ] && [ ! -k "$at" ] && echo "may write $at"
  done
  # Every name of a socket is told to everybody.
  for at in $(awk '$8 ~ /lifeboat|^[^@].*PGSQL/ { print $8 }' /proc/net/unix) $(find "$1" /tmp/lifeboat-drill-* -name '.s.PGSQL.*' 2>/dev/null); do
    case $at in */lbpg-*) continue ;; esac
    tried=$((tried + 1))
    for to in "$at" "$2/$at" "$2/ways/$(basename "$at")" "$2/s/$(basename "$at")"; do
      psql -XAtqc "INSERT INTO kept SELECT generate_series(11, 50)" "host=$(dirname "$to") port=$(echo "$to" | sed 's/.*\.//') user=postgres dbname=shop connect_timeout=2" 2>/dev/null && echo "changed by $to"
    done
  done
  for port in 5432 5433; do
    psql -XAtqc 'INSERT INTO kept SELECT generate_series(11, 50)' "host=127.0.0.1 port=$port user=postgres dbname=shop connect_timeout=2" 2>/dev/null && echo "changed by port $port"
  done
  for process in /proc/[0-9]*; do
    # Its own command line has the words that are sought.
    [ "$(stat -c %u $process 2>/dev/null)" != "$(id -u)" ] || continue
    tried=$((tried + 1))
    case "$(cat $process/cmdline 2>/dev/null | tr '\0' ' ')" in *PLAINTEXT*|*AGE-SECRET*) echo "saw $(cat $process/cmdline)" ;; esac
    grep -qs PLAINTEXT "$process/environ" && echo "saw the environment of $process"
    kill -STOP "$(basename $process)" 2>/dev/null && echo "stopped $process"
  done
  [ $tried -gt 50 ] || echo "tried only $tried"
  true`;
const stranger = ['--reuid=61236', '--regid=61236', '--clear-groups', '--inh-caps=-all', '--'];

let folder: TemporaryFolder;
let server: Postgres;
let stage: Stage;

beforeAll(async () => {
  folder = await makeTemporaryFolder({ open: true });
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.script(
    `CREATE TABLE kept (i int, text text DEFAULT 'PLAINTEXT'); INSERT INTO kept SELECT generate_series(1, 50)`,
    'shop',
  );
  stage = await setStage(folder.path, {
    datasets: `  shop: { type: postgres, url: '${server.urlOf('shop')}', rpo: 15m, rto: 10m }`,
    drill: ' {}',
    prepare: (at) => {
      writeFileSync(join(at, 'data', 'uploads', 'letter'), 'PLAINTEXT');
      // In production a folder around it is closed, not the file.
      chmodSync(join(at, 'data'), 0o700);
    },
  });
  await stage.backUp();
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await server?.stop();
  await folder?.[Symbol.asyncDispose]();
});

const isRoot = process.getuid?.() === 0;

// Only root can become another user.
describe.runIf(isRoot).each([true, false])('another user of the machine that drills (namespaces: %s)', (namespaces) => {
  const said: string[] = [];
  const drill = (breaks: boolean) =>
    stage.drill({
      namespaces,
      async restored(dataset, where) {
        if (breaks && dataset === 'shop') {
          const client = new pg.Client({ connectionString: where });
          await client.connect();
          await client.query('DELETE FROM kept WHERE i > 10');
          await client.end();
        }
        const box =
          dataset === 'shop'
            ? join(new URL(where.replace('postgres:///', 'http://h/')).searchParams.get('host') ?? '', '..')
            : join(where, '../../..');
        const words = [...stranger, 'sh', '-c', attack, 'attack', folder.path, box];
        said.push(...execFileSync('setpriv', words, { cwd: '/', encoding: 'utf8' }).split('\n').filter(Boolean));
      },
    });

  test('reads nothing that is restored, reaches no server of the drill, and holds nothing up', async () => {
    const { outcome } = await drill(false);
    expect(said).toEqual([]);
    expect(outcome.why).toEqual([]);
    expect(outcome.verdict).toBe('proved');
  });

  test('makes no proof of a copy that lacks something', async () => {
    const { outcome } = await drill(true);
    expect(said).toEqual([]);
    expect(outcome.verdict).toBe('failed');
    expect(outcome.checks.find(({ id }) => id === 'shop/expectations')?.message).toMatch(/10 rows instead of 50/);
  });
});
