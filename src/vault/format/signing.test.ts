import { expect, test, vi } from 'vitest';
import { newSigningKey, sign, verify } from './signing.ts';

const counted = vi.hoisted(() => ({ imports: 0 }));
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  const createPublicKey: typeof crypto.createPublicKey = (key) => {
    counted.imports++;
    return crypto.createPublicKey(key);
  };
  return { ...crypto, createPublicKey };
});

const bytes = Buffer.from('something that is signed');
const signed = (count: number) =>
  Array.from({ length: count }, () => {
    const { privateKey, publicKey } = newSigningKey();
    return { publicKey, signature: sign(bytes, privateKey) };
  });

test("a writer's key is imported once, however much it signed", () => {
  const [{ publicKey, signature }] = signed(1) as [ReturnType<typeof signed>[number]];
  counted.imports = 0;
  const verified = Array.from({ length: 100 }, () => verify(bytes, signature, publicKey));
  expect(verified).toEqual(verified.map(() => true));
  expect(verify(Buffer.from('something else'), signature, publicKey)).toBe(false);
  expect(counted.imports).toBe(1);
});

test('more keys than are held are each told apart, and the oldest makes room', () => {
  const all = signed(200);
  counted.imports = 0;
  const verified = all.map(({ publicKey, signature }, at) => [
    verify(bytes, signature, publicKey),
    verify(bytes, all.at(at - 1)!.signature, publicKey),
  ]);
  expect(verified).toEqual(all.map(() => [true, false]));
  expect(counted.imports).toBe(200);
  const again = all.slice(0, 100).map(({ publicKey, signature }) => verify(bytes, signature, publicKey));
  expect(again).toEqual(again.map(() => true));
  expect(counted.imports).toBe(300);
});

test('what is no key is none the second time either', () => {
  const signature = Buffer.alloc(64).toString('base64');
  for (const key of ['', 'no key', Buffer.alloc(31).toString('base64'), Buffer.alloc(32, 255).toString('base64')]) {
    expect(verify(bytes, signature, key)).toBe(false);
    expect(verify(bytes, signature, key)).toBe(false);
  }
});
