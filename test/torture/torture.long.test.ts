import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { lifeboat } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';
import { capabilities, rsyncDifferences } from '../support/torture.ts';

const isRoot = process.geteuid?.() === 0;
const programs = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const nobodyHere = 61234;

/** A file system of that kind, mounted for the running test. */
async function disk(kind: string, place: string): Promise<string> {
  const path = join(place, kind);
  fs.mkdirSync(path);
  const asRoot = (...words: [string, ...string[]]) =>
    execFileSync(words[0], words.slice(1), { env: programs, stdio: 'ignore' });
  if (kind === 'tmpfs') asRoot('mount', '-t', 'tmpfs', '-o', 'size=1g', 'lifeboat-test', path);
  else {
    fs.writeFileSync(`${path}.img`, '');
    fs.truncateSync(`${path}.img`, 2 ** 30);
    asRoot(`mkfs.${kind}`, '-q', `${path}.img`);
    asRoot('mount', '-o', 'loop', `${path}.img`, path);
  }
  onTestFinished(() => void asRoot('umount', '--lazy', path));
  fs.chmodSync(path, 0o755);
  return path;
}

const script = (name: string) => join(import.meta.dirname, name);

/** Path and property → value, as test/torture/look.py sees them. */
function look(folder: string): Map<string, string> {
  const text = execFileSync('python3', [script('look.py'), folder], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return new Map(
    text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const at = line.lastIndexOf('\t');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
}

/** `path TAB property` of all that differs; a socket is nothing without its program, and is left out by rule. */
function differences(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  const all = [...one.keys(), ...[...other.keys()].filter((key) => !one.has(key))];
  return all.filter((key) => one.get(key) !== other.get(key) && !key.startsWith('types/socket\t'));
}

function lists(folder: string): string[] {
  const text = execFileSync('getfacl', ['-R', '-n', '-P', '.'], {
    cwd: folder,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  return text
    .split('\n\n')
    .filter((one) => !one.startsWith('# file: types/socket'))
    .sort();
}

/** A system whose dataset `tree` is that folder. */
async function system(place: string, tree: string) {
  const [daily, offline] = [generateIdentity(), generateIdentity()];
  fs.writeFileSync(join(place, 'id.txt'), `${daily.identity}\n`, { mode: 0o600 });
  fs.writeFileSync(
    join(place, 'lifeboat.yaml'),
    `version: 1
system: test
vault: { recipients: [${daily.recipient}, ${offline.recipient}] }
destinations: { local: { type: local, path: ./vault } }
datasets: { tree: { type: files, path: ${tree} } }
`,
  );
}

async function run(place: string, args: readonly string[], codes = [0], uid?: number) {
  const { code, stdout, stderr } = await lifeboat(place, [...args, '--json'], {}, uid);
  expect(codes, `${args[0]} ended with ${code}: ${stdout}${stderr}`).toContain(code);
  return JSON.parse(stdout);
}

/** Which remark of a restore speaks of a property that differs. */
const remarks: readonly (readonly [RegExp, RegExp])[] = [
  [/^[ug]id$/, /^Owners were not set/],
  [/^mode$/, /^The permissions of /],
  // With fewer rights the list's mask has fewer too.
  [/^xattr system\.posix_acl_access$/, /^The permissions of /],
  [/^flags$/, /^The flags \(chattr\) of /],
  [/^(type|mtime|device)$/, /is a (block|character)-device and was not made/],
];

function isNamed(property: string, messages: readonly string[]): boolean {
  const name = property.startsWith('xattr ') ? `The attribute ${property.slice(6)} of ` : undefined;
  if (name !== undefined && messages.some((message) => message.startsWith(name))) return true;
  return remarks.some(([what, said]) => what.test(property) && messages.some((message) => said.test(message)));
}

test.runIf(isRoot).each(['ext4', 'xfs', 'btrfs', 'tmpfs'])(
  'everything that %s can hold comes back: as root without a difference, as a user and by rescue.sh without one that is not named',
  async (kind) => {
    const place = await temporaryFolder({ open: true });
    const mounted = await disk(kind, place);
    const tree = join(mounted, 'tree');
    fs.mkdirSync(tree);
    // What it does not take is said, and is no failure.
    execFileSync('python3', [script('tree.py'), tree, '512'], { stdio: ['ignore', 'ignore', 'inherit'] });
    await system(place, tree);
    const before = look(tree);
    const [taken] = (await run(place, ['backup'])).backedUp;
    expect(taken.problems.map(({ code }: { code: string }) => code)).toEqual(['link-leads-out']);
    expect(differences(before, look(tree)), 'a backup changes nothing').toEqual([]);

    const back = join(mounted, 'back');
    const restored = await run(place, ['restore', 'tree', '--into', back, '--identity', 'id.txt']);
    expect(restored.problems).toEqual([]);
    expect(differences(before, look(back))).toEqual([]);
    expect(rsyncDifferences(back, tree)).toBe('*deleting   types/socket\n');
    expect(lists(back)).toEqual(lists(tree));
    expect(capabilities(back)).toBe(capabilities(tree));
    const drill = await run(place, ['drill', '--identity', 'id.txt'], [0, 1]);
    expect(drill.checks.filter(({ verdict }: { verdict: string }) => verdict !== 'pass')).toEqual([]);

    // As a user who has a copy of the vault and a key, and nothing else.
    const home = join(mounted, 'home');
    fs.mkdirSync(home);
    for (const name of ['vault', 'id.txt', 'lifeboat.yaml']) execFileSync('cp', ['-a', join(place, name), home]);
    execFileSync('chown', ['-R', `${nobodyHere}:${nobodyHere}`, home]);
    const theirs = ['restore', 'tree', '--into', join(home, 'back'), '--identity', 'id.txt'];
    const { problems } = await run(home, theirs, [0], nobodyHere);
    const messages: string[] = problems.map(({ message }: { message: string }) => message);
    const unnamed = differences(before, look(join(home, 'back'))).filter(
      (one) => !isNamed(one.slice(one.indexOf('\t') + 1), messages),
    );
    expect(unnamed, messages.join('\n')).toEqual([]);

    const rescued = join(mounted, 'rescued');
    const script_ = join(place, 'vault/rescue.sh');
    execFileSync('bash', [script_, 'restore', join(place, 'vault'), join(place, 'id.txt'), 'tree', rescued]);
    // What is the folder's own but owner, mode and time is in the manifest alone; a longer value is no argument of a program.
    const beyond = /^\t(xattr|flags)|^attributes\/large 6\d+\txattr user\.large$/;
    expect(differences(before, look(rescued)).filter((one) => !beyond.test(one))).toEqual([]);
  },
);

test.runIf(isRoot)('what compares the trees sees each of twenty planted differences by itself', async () => {
  const mounted = await disk('ext4', await temporaryFolder());
  const tree = join(mounted, 'tree');
  fs.mkdirSync(tree);
  execFileSync('python3', [script('tree.py'), tree, '64'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const shell = (command: string) =>
    execFileSync('bash', ['-ec', command], { cwd: tree, env: programs, stdio: ['ignore', 'ignore', 'inherit'] });
  const keepingTime = (name: string, command: string) =>
    `t=$(stat -c @%.9Y '${name}'); ${command}; touch -h -d "$t" '${name}'`;
  const planted: readonly (readonly [string, string])[] = [
    ['types/file\tsha256', keepingTime('types/file', 'printf CONTENT | dd of=types/file conv=notrunc status=none')],
    ['types/empty\tsize', keepingTime('types/empty', 'printf x > types/empty')],
    ['times/ns\tmtime', "touch -d '@1715000000.999999998' times/ns"],
    ['times/link 1969\tmtime', "touch -h -d '@-14182940.25' 'times/link 1969'"],
    ['rights/file 0640\tmode', "chmod 641 'rights/file 0640'"],
    ['rights/file of 33 33\tuid', "chown 34 'rights/file of 33 33'"],
    ['rights/link of 33 33\tgid', "chgrp -h 34 'rights/link of 33 33'"],
    ['attributes/file\txattr user.text', 'setfattr -n user.text -v "a Value" attributes/file'],
    ['attributes/file\txattr user.empty', 'setfattr -x user.empty attributes/file'],
    ['attributes/acl\txattr system.posix_acl_access', 'setfacl -m u:33:rw attributes/acl'],
    ['attributes/listed\txattr system.posix_acl_default', 'setfacl -d -m u:33:r attributes/listed'],
    ['attributes/capable\txattr security.capability', 'setcap cap_chown+ep attributes/capable'],
    ['flags/file i\tflags', "chattr -i 'flags/file i'"],
    ['flags/folder d\tflags', "chattr -d 'flags/folder d'"],
    [
      'holes/middle\tholes',
      keepingTime('holes/middle', 'cp --sparse=never holes/middle x && cat x > holes/middle && rm x'),
    ],
    ['links/two/third\tlinks', 'cp -p links/two/third x && mv x links/two/third'],
    ['types/to relative\ttarget', keepingTime('types/to relative', "ln -sfn File 'types/to relative'")],
    ['types/null\tdevice', 'rm types/null && mknod types/null c 1 5'],
    ['types/empty folder\ttype', "rmdir 'types/empty folder'"],
    ['names/new\ttype', 'touch names/new'],
  ];
  let before = look(tree);
  for (const [seen, command] of planted) {
    shell(command);
    const after = look(tree);
    expect(differences(before, after), command).toContain(seen);
    before = after;
  }
});
