import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { paddingFrame } from '../format/toc.ts';
import { compress } from '../zstd.ts';
import { newHeader } from './header.ts';
import { generateIdentity } from './identity.ts';
import { openSmall, sealSmall } from './small-objects.ts';
import { sealAll } from './stream.ts';

test('4.11: sealed objects of many lengths have few sizes, and read back', async () => {
  const { identity, recipient } = generateIdentity();
  const sizes = new Set<number>();
  for (let length = 20_000; length < 22_000; length += 20) {
    const plain = randomBytes(length);
    const object = sealSmall(plain, [recipient]);
    sizes.add(object.length);
    expect(Buffer.compare(await openSmall(object, [identity]), plain)).toBe(0);
  }
  expect(sizes.size).toBeLessThan(8);
});

test('what stands behind their frames is padding or nothing', async () => {
  const { identity, recipient } = generateIdentity();
  const frame = compress(Buffer.from('a manifest'));
  const open = async (...parts: Uint8Array[]) => {
    const { header, fileKey } = newHeader([recipient]);
    return Buffer.from(
      await openSmall(await sealAll(header, fileKey, randomBytes(16), Buffer.concat(parts)), [identity]),
    );
  };
  expect((await open(frame)).toString()).toBe('a manifest');
  expect((await open(frame, frame, paddingFrame(9))).toString()).toBe('a manifesta manifest');
  const dirty = Buffer.from(paddingFrame(20));
  dirty[19] = 1;
  for (const wrong of [
    dirty,
    Buffer.alloc(3),
    Buffer.concat([paddingFrame(8), frame]),
    Buffer.concat([paddingFrame(8), paddingFrame(8)]),
  ]) {
    await expect(open(frame, wrong)).rejects.toMatchObject({ code: 'content-damaged' });
  }
  await expect(open(paddingFrame(8), frame)).rejects.toMatchObject({ code: 'content-damaged' });
});
