import { expect, test } from 'vitest';
import { generateIdentity, recipientOf } from './identity.ts';
import { identityOf, secretOf } from './secret-bytes.ts';

test('an identity is the same after a way through its bytes', async () => {
  for (let round = 0; round < 20; round++) {
    const { identity, recipient } = generateIdentity();
    expect(secretOf(identity)).toHaveLength(32);
    expect(identityOf(secretOf(identity))).toBe(identity);
    expect(recipientOf(identityOf(secretOf(identity)))).toBe(recipient);
  }
});

test('what is mistyped or another kind is refused, and not quoted', async () => {
  const { identity, recipient } = generateIdentity();
  const wrong = `${identity.slice(0, -1)}${identity.endsWith('Q') ? 'P' : 'Q'}`;
  for (const text of [wrong, identity.slice(0, -5), recipient, '', 'AGE-SECRET-KEY-1']) {
    expect(() => secretOf(text)).toThrow(expect.objectContaining({ code: 'identity-invalid' }));
  }
});
