import { describe, expect, test } from 'vitest';
import { type CopyFacts, judgePlacement, thisMachine } from './three-two-one.ts';

const copy = (name: string, more: Partial<CopyFacts>): CopyFacts => ({
  name,
  isProduction: name === 'production',
  medium: 'disk',
  disks: [],
  immutable: 'none',
  ...more,
});
const production = copy('production', { disks: ['/dev/vda'], machine: thisMachine });
const local = copy('local', { disks: ['/dev/vda'], machine: thisMachine });
const usb = copy('usb', { disks: ['/dev/sdb'], machine: thisMachine });
const aws = copy('aws', {
  medium: 'object storage',
  provider: 'AWS',
  region: 'eu-central-1',
  account: '111122223333',
  bucket: 'a',
  immutable: 'compliance',
});
const b2 = copy('b2', {
  medium: 'object storage',
  provider: 'Backblaze B2',
  region: 'eu-central-003',
  account: 'aabbcc',
  bucket: 'b',
});

const codes = (...copies: CopyFacts[]) =>
  judgePlacement([production, ...copies]).findings.map(({ severity, code }) => `${severity} ${code}`);
const sentence = (code: string, ...copies: CopyFacts[]) =>
  judgePlacement([production, ...copies]).findings.find((finding) => finding.code === code)?.message;

describe('the 3-2-1 rule', () => {
  test('is kept by a disk here and a locked bucket elsewhere, or by two providers', () => {
    expect(judgePlacement([production, usb, aws])).toMatchObject({
      ok: true,
      copies: 3,
      media: ["this machine's disk /dev/vda", "this machine's disk /dev/sdb", 'AWS'],
      elsewhere: ['aws'],
      locked: ['aws'],
    });
    expect(codes(usb, aws)).toEqual(['warning same-machine']);
    expect(codes(aws, b2)).toEqual([]);
  });

  test('one disk for production and the backup is called out, in plain words', () => {
    expect(sentence('same-disk', local, aws)).toBe(
      "2 of 3 copies (production, local) lie on this machine's disk /dev/vda: one broken disk takes both.",
    );
    // A backup is left at AWS: the rule is kept, and the tie is said.
    expect(codes(local, aws)).toEqual(['warning same-disk']);
    expect(codes(local)).toEqual([
      'bad too-few-copies',
      'bad one-medium',
      'bad nothing-elsewhere',
      'bad same-disk',
      'warning none-locked',
    ]);
  });

  test('everything here is no 3-2-1, however many disks', () => {
    const other = copy('other', { disks: ['/dev/sdc'], machine: thisMachine });
    expect(codes(usb, other)).toEqual(['bad nothing-elsewhere', 'bad same-machine', 'warning none-locked']);
    expect(sentence('same-machine', usb, other)).toMatch(
      /^3 of 3 copies \(production, usb, other\) are on this machine: .* takes all 3\.$/,
    );
  });

  test('a volume over two disks is tied to whatever lies on either', () => {
    const striped = copy('striped', { disks: ['/dev/vda', '/dev/sdb'], machine: thisMachine });
    const found = judgePlacement([production, striped, aws]).findings;
    expect(found.map(({ copies }) => copies)).toEqual([['production', 'striped']]);
  });

  test('two buckets: one account, one region, one bucket are three ways to lose both', () => {
    const sameAccount = { ...aws, name: 'aws2', region: 'us-east-1', bucket: 'c' };
    expect(codes(aws, sameAccount)).toEqual(['bad same-account']);
    expect(sentence('same-account', aws, sameAccount)).toBe(
      '2 of 3 copies (aws, aws2) belong to one account at AWS (111122223333): who takes it over, or closes it, has both.',
    );
    const sameRegion = { ...aws, name: 'aws2', account: '999', bucket: 'c' };
    expect(codes(aws, sameRegion)).toEqual(['bad same-region']);
    // With another backup left it is a warning.
    expect(codes(aws, sameRegion, b2)).toEqual(['warning same-region']);
    expect(codes(aws, { ...aws, name: 'aws2' })).toEqual(['bad same-bucket']);
  });

  test('the same account name at two providers is no tie, nor is what is not known', () => {
    expect(codes({ ...aws, account: 'main' }, { ...b2, account: 'main' })).toEqual([]);
    const bare = (name: string) => copy(name, { medium: 'object storage', bucket: name, immutable: 'governance' });
    expect(codes(bare('one'), bare('two'))).toEqual([]);
  });

  test('a server that is this machine is not elsewhere, nor one in the same building', () => {
    const here = copy('nas', { medium: 'server', machine: thisMachine });
    expect(codes(here, aws)).toEqual(['warning same-machine']);
    const home = { ...production, site: 'office' };
    const nas = copy('nas', { medium: 'server', machine: 'nas', site: 'office' });
    expect(judgePlacement([home, nas]).elsewhere).toEqual([]);
    expect(judgePlacement([home, { ...nas, site: 'barn' }]).elsewhere).toEqual(['nas']);
  });

  test('nothing is claimed of locks where one does not answer', () => {
    expect(codes(usb, { ...b2, immutable: 'unknown' })).toEqual(['warning same-machine']);
    expect(codes(usb, b2)).toEqual(['warning same-machine', 'warning none-locked']);
  });

  test('a copy in memory is none', () => {
    const ram = copy('ram', { medium: 'memory', machine: thisMachine });
    expect(judgePlacement([production, ram, aws])).toMatchObject({ ok: false });
    expect(sentence('in-memory', ram, aws)).toBe('ram lies in memory: gone at the next restart.');
  });
});
