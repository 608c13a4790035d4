import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { loadSystem } from '../../src/config/load.ts';
import { folderName, registryFolder } from '../../src/sandbox/registry.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { bin } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';

const isRoot = process.getuid?.() === 0;
const id = '01KA0000000000000000000000';
const nobodys = 61_234;

/** What a hostile application leaves behind, made as the one who will have to remove it. */
const leftovers = String.raw`
  use strict; use warnings; use Socket;
  my ($at, $outside) = @ARGV;
  chdir $at or die;
  mkdir $_ or die "$_: $!" for ("-rf", "line\nbreak", "byte\xff\xfe", " ", "\$(touch pwned)", "closed", "many", "deep", "..."); 
  for my $name ("-rf", "line\nbreak", "byte\xff\xfe") { open my $f, '>', "$name/-i\n\xff" or die; }
  for (1 .. 5000) { open my $f, '>', "many/$_" or die; }
  symlink $outside, "closed/link"; symlink "/", "root"; symlink "loop", "loop";
  link "$outside/file", "closed/hard" or die $!;
  socket my $s, AF_UNIX, SOCK_STREAM, 0; bind $s, sockaddr_un("closed/socket");
  system "mkfifo", "closed/fifo";
  for (1 .. 3) { mkdir "closed/n$_"; mkdir "closed/n$_/in"; mkdir "closed/n$_/in/side"; chmod 0, "closed/n$_/in/side"; chmod 0, "closed/n$_/in"; chmod 0, "closed/n$_"; }
  chmod 0, "closed";
  chdir "deep";
  # Far deeper than a path may be long, and without rights at the end.
  for (1 .. 3000) { mkdir "ddddd" or die; chdir "ddddd" or die; }
  open my $f, '>', "file"; mkdir "last"; chmod 0, "last"; chmod 0500, ".";
`;

test.each([...(isRoot ? ['root'] : []), 'an ordinary user'])(
  'gc by %s removes what a hostile application left, and nothing else',
  async (who) => {
    const base = await temporaryFolder({ open: true });
    const env = { PATH: process.env.PATH ?? '', HOME: join(base, 'home'), LIFEBOAT_STATE_DIR: join(base, 'state') };
    const file = join(base, 'lifeboat.yaml');
    const { recipient } = generateIdentity();
    writeFileSync(
      file,
      `version: 1
system: corpus
vault: { recipients: [${recipient}] }
destinations: { local: { type: local, path: ./vault } }
datasets: { data: { type: files, path: ./outside } }
`,
    );
    const { stateDir } = loadSystem(file, env);
    const outside = join(base, 'outside');
    const folder = join(registryFolder(stateDir), folderName(id));
    for (const path of [folder, outside, join(base, 'home')]) mkdirSync(path, { recursive: true });
    writeFileSync(join(outside, 'file'), 'precious', { mode: 0o640 });
    const entry = { id, made: '', owner: { pid: 2 ** 22 + 1, start: 'never' }, folder };
    writeFileSync(join(registryFolder(stateDir), `${id}.json`), JSON.stringify(entry));
    const drops = who !== 'root' && isRoot;
    if (drops) execFileSync('chown', ['-R', `${nobodys}:${nobodys}`, base]);
    const as = drops ? ['setpriv', `--reuid=${nobodys}`, `--regid=${nobodys}`, '--clear-groups', '--'] : [];
    const run = async (...words: string[]) => {
      const [program, ...rest] = [...as, ...words] as [string, ...string[]];
      return (await promisify(execFile)(program, rest, { env, cwd: base })).stdout;
    };
    await run('perl', '-e', leftovers, folder, outside);
    expect(readdirSync(folder).length).toBeGreaterThan(10);

    await run(bin, '--config', file, 'gc');
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(registryFolder(stateDir))).toEqual([]);
    expect(readdirSync(outside)).toEqual(['file']);
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('precious');
    // The hard link shared its inode: nothing of that may have been changed to get rid of the name.
    expect(statSync(join(outside, 'file'))).toMatchObject({ nlink: 1 });
    expect(statSync(join(outside, 'file')).mode & 0o7777).toBe(0o640);
  },
);
