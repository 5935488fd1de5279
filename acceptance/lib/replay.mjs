// A replay that is held against what came live: with an earlier cursor, at any process.

import assert from 'node:assert/strict';
import { eventually } from './wait.mjs';

const SOON_MS = 20_000;

/**
 * A receiver's person comes once more, at this address, with the cursor of the last of the first `place` events that the receiver had: what
 * came live since has to come again, room by room, each event once and in order. Answers what came: {events, unknown}, the latter of
 * kinds that nobody knows.
 */
export async function replayed(receiver, place, url) {
  const who = `${receiver.person.username} at ${url}`;
  const wire = await receiver.person.connect({ cursor: receiver.all[place - 1].data.cursor, at: url, ms: SOON_MS });
  assert.equal(wire.all('ready')[0].resumed, true, `${who}: a cursor is taken up`);
  const live = () => byRoom(receiver.all.slice(place));
  const least = live();
  await eventually(`${who}: the replay has all that came live`, () => holds(byRoom(wire.durable()), least), SOON_MS);
  const again = byRoom(wire.durable());
  wire.close();
  await eventually(`${who}: what came after the replay has come live`, () => holds(live(), again), SOON_MS);
  const first = live();
  for (const [room, events] of again) assert.deepEqual(events, first.get(room).slice(0, events.length), `${who}: the replay is what came live`);
  const events = [...again.values()].flat();
  return { events: events.length, unknown: events.filter(({ name }) => name === 'event').length };
}

/** What events say, by room; where a room's events stand among those of others is no promise while they happen. */
function byRoom(events) {
  const rooms = new Map();
  for (const { name, data: { room, seq, kind, id, body } } of events) {
    if (name === 'room created') continue; // it tells the room as it is now
    if (!rooms.has(room)) rooms.set(room, []);
    rooms.get(room).push({ name, seq, kind, id, body });
  }
  return rooms;
}

/** Whether each room has as many events here as there. */
function holds(here, there) {
  return [...there].every(([room, events]) => (here.get(room)?.length ?? 0) >= events.length);
}
