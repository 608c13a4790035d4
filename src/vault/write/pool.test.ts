import { expect, test } from 'vitest';
import type { Thread } from '../threads.ts';
import type { FromStoreWorker, ToStoreWorker } from './messages.ts';
import { type SealedPack, type StoreThreads, startPool } from './pool.ts';

const MiB = 2 ** 20;

type Message<Type> = Extract<ToStoreWorker, { type: Type }>;

/** Threads that answer at once: each piece that is read is one frame of its own size, each pack an object of `roomBytes`. */
function answeringThreads(roomBytes: number) {
  const sealing: Message<'seal'>[] = [];
  const started = { threads: 0 };
  function thread(): Thread<ToStoreWorker, FromStoreWorker> {
    let hear: (message: FromStoreWorker) => void = () => {};
    const say = (message: FromStoreWorker) => queueMicrotask(() => hear(message));
    let sizeBytes = 0;
    return {
      listen(onMessage) {
        hear = onMessage;
      },
      async end() {},
      post(message) {
        if (message.type === 'bytes') {
          sizeBytes = message.bytes.byteLength;
          const lengths = Uint32Array.of(sizeBytes);
          say({ type: 'segment', job: message.job, segment: message.job, ids: new Uint8Array(20), lengths });
          say({ type: 'read-done' });
        } else if (message.type === 'answer') {
          const bytes = new ArrayBuffer(sizeBytes);
          say({ type: 'compressed-frame', segment: message.segment, count: 1, bytes, sizeBytes });
        } else if (message.type === 'seal') {
          sealing.push(message);
          const object = message.room ?? new ArrayBuffer(roomBytes);
          say({ type: 'sealed', pack: message.pack, id: `${message.pack}`, object, sizeBytes: object.byteLength - 1 });
        }
      },
    };
  }
  const take = () => {
    started.threads++;
    return thread();
  };
  const threads: StoreThreads = { take, here: thread, put() {}, async [Symbol.asyncDispose]() {} };
  return { threads, sealing, started };
}

async function packsOf(count: number, sizeBytes: number, roomBytes: number) {
  const { threads, sealing, started } = answeringThreads(roomBytes);
  const packs: SealedPack[] = [];
  const pool = startPool(
    threads,
    { data: 64 * MiB, meta: MiB },
    {
      segment: (_job, ids, lengths) => {
        const places = [{ pack: undefined, offset: 0, length: lengths[0]! }];
        return { flags: Uint8Array.of(1), kind: 'data', ids: [ids], places };
      },
      contents() {},
      async sealed(pack) {
        packs.push(pack);
        pack.giveBack();
      },
    },
  );
  for (let job = 0; job < count; job++) {
    pool.read({ type: 'bytes', job, profile: 'files', bytes: new ArrayBuffer(sizeBytes), last: true }, sizeBytes);
    await pool.until(() => pool.load.idle);
    pool.flush('data');
    await pool.until(() => pool.load.idle);
  }
  await pool.close();
  return { packs, sealing, threads: started.threads };
}

test("a full pack's memory is that of the next", async () => {
  const { packs, sealing } = await packsOf(3, 12 * MiB, 14 * MiB);
  expect(sealing.map(({ room }) => room?.byteLength)).toEqual([undefined, 14 * MiB, 14 * MiB]);
  expect(packs.every(({ object }) => object.buffer === packs[0]!.object.buffer)).toBe(true);
});

test('what no later pack would ask for is given back at once', async () => {
  // Packs that were closed early, just small enough, in rooms just large enough to be worth keeping.
  const { packs, sealing } = await packsOf(3, 7 * MiB, 8 * MiB);
  expect(sealing.map(({ room }) => room)).toEqual([undefined, undefined, undefined]);
  expect(packs.map(({ object }) => object.byteLength)).toEqual([0, 0, 0]);
});

test('a little is stored without a thread, and what comes on top of it with one', async () => {
  expect(await packsOf(4, MiB / 4, MiB)).toMatchObject({ threads: 0, packs: { length: 4 } });
  expect(await packsOf(5, MiB / 4, MiB)).toMatchObject({ threads: 1, packs: { length: 5 } });
  expect(await packsOf(1, MiB + 1, 2 * MiB)).toMatchObject({ threads: 1, packs: { length: 1 } });
});
