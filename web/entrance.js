// Logging in.

import { Api } from './api.js';
import { find, say, show } from './dom.js';

export class Entrance {
  /** @param {(token: string) => Promise<void>} enter */
  constructor(enter) {
    find('login').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#attempt(async () => {
        const username = find('username').value.trim();
        const password = find('password').value;
        // Without a password where none is needed: the mode "open" takes a name alone.
        const { token } = await new Api().call('POST', '/users/login', { username, ...(password && { password }) });
        find('password').value = '';
        await enter(token);
      });
    });
    find('use-token').addEventListener('click', () => void this.#attempt(() => enter(find('token').value.trim())));
    find('token').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      find('use-token').click();
    });
  }

  show(why) {
    show(find('entrance'), true);
    say(find('login-error'), why ?? '');
    find('username').focus();
  }

  hide() { show(find('entrance'), false); }

  async #attempt(work) {
    const buttons = find('login').querySelectorAll('button');
    say(find('login-error'), '');
    for (const button of buttons) button.disabled = true;
    try {
      await work();
    } catch (error) {
      const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : '';
      say(find('login-error'), error.message + wait);
    }
    for (const button of buttons) button.disabled = false;
  }
}
