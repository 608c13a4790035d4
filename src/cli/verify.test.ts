import { expect, test } from 'vitest';
import { styleOf } from './output.ts';
import { verifyText } from './verify.ts';

test('what is doubtful for one reason is one line, whatever a lost state folder has signed', () => {
  const why = 'it is signed by one, which is no known writer';
  const keys = Array.from({ length: 300 }, (_, at) => ({ key: `ledger/${at}.json`, why }));
  const nothing = { findings: [], wrong: [], spoiled: [], suspect: [], unreachable: [] };
  const counted = { objects: 1, objectsRead: 1, objectsClosed: 0, bytesRead: 1, leaving: 0 };
  const doubtful = [...keys, { key: 'logs/1', why: 'of the log from 1 to 2 nothing was stored' }];
  const report = { sound: true, part: 'all' as const, ...counted, ...nothing, doubtful };
  const text = verifyText(report, 0, styleOf(false));
  expect(text.split('\n').slice(1)).toEqual([
    `! 300 objects are doubtful, all alike: ${why}.`,
    '    ledger/0.json, and 299 more',
    '! logs/1 is doubtful: of the log from 1 to 2 nothing was stored.',
  ]);
});
