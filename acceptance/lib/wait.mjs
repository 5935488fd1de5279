// Waiting for what will happen, with a limit, and never by counting seconds.

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** How long a story waits for something that should be there at once; generous, because machines are shared. */
export const SOON_MS = 10_000;

/** Resolves with `promise`, or rejects after `ms` saying what was awaited. */
export async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`waited ${ms} ms in vain for ${typeof what === 'function' ? what() : what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `look` again and again until it answers something true; for what announces itself to nobody. */
export async function eventually(what, look, ms = SOON_MS, pause = 20) {
  const end = performance.now() + ms;
  let last;
  for (;;) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}; last seen: ${last?.stack ?? JSON.stringify(last)}`);
    await sleep(pause);
  }
}

/** The clock shows a later millisecond than now, so that what is committed after this has a later time than what was. */
export async function laterMillisecond() {
  const now = Date.now();
  while (Date.now() <= now) await sleep(1);
}

/** Does `count` things, at most 50 of them at a time: a client that pipelines, and still waits for its acknowledgements. */
export async function pipelined(count, one, atATime = 50) {
  const answers = new Array(count);
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(atATime, count) }, async () => {
    while (next < count) {
      const n = next++;
      answers[n] = await one(n);
    }
  }));
  return answers;
}
