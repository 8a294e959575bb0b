// How far an upload has come.  The browser sends the form itself, as without this script;
// meanwhile the edge is asked, by an id that the form's address carries and nobody can guess.
(function () {
	'use strict';

	var EVERY = 1000;		// ms between two questions
	var LITTLE = 262144;		// octets that are sent before a person wonders
	var AHEAD = 24;			// questions under way at once (conf: pace)
	var PATIENCE = 20000;		// ms without an answer until the line counts as silent
	var STILL = 10000;		// ms without an octet until it counts as very slow
	var WINDOW = 10000;		// ms that the rate is taken over
	var CUTS = 4;			// times that the edge says so until the upload counts as cut
	var ANSWER = 45000;		// ms until an answer is late: longer than the edge waits for the program
	var KEPT = 'icert.envio';	// what was under way when the page was left

	if (!window.fetch || !window.AbortController || !window.crypto || !crypto.getRandomValues) return;

	function newId() {
		return Array.from(crypto.getRandomValues(new Uint8Array(16)), function (b) { return (b < 16 ? '0' : '') + b.toString(16); }).join('');
	}

	// Private windows may have no storage.
	function keep(value) {
		try {
			if (value) sessionStorage.setItem(KEPT, JSON.stringify(value));
			else sessionStorage.removeItem(KEPT);
		} catch (error) { /* then nothing is said about it later */ }
	}

	function kept() {
		try { return JSON.parse(sessionStorage.getItem(KEPT)); } catch (error) { return null; }
	}

	/** What the edge knows of an upload; null when there is no answer. */
	function ask(id, signal, paced) {
		return fetch('/envio?envio=' + id + (paced ? '&paso=' + id : ''), { credentials: 'same-origin', cache: 'no-store', signal: signal }).then(function (answer) {
			return answer.status === 200 || answer.status === 404 ? answer.json() : null;
		}).catch(function () { return null; });
	}

	// Over HTTP/2 a question goes the way that the file takes, and on a slow line waits behind all of it that the system holds
	// ready.  So many are sent before the file; the edge answers one every two seconds.
	function questions(size) {
		var way = performance.getEntriesByType('navigation')[0];
		return way && way.nextHopProtocol === 'h2' && size > LITTLE ? AHEAD : 1;
	}

	function amounts(received, size) {
		var mega = size >= 1048576;
		var unit = mega ? 1048576 : 1024;
		var form = new Intl.NumberFormat('es-EC', { minimumFractionDigits: mega ? 1 : 0, maximumFractionDigits: mega ? 1 : 0 });
		return [form.format(received / unit), form.format(size / unit) + (mega ? ' MB' : ' KB')];
	}

	function follow(form) {
		var box = form.querySelector('[data-sending]');
		var bar = box.querySelector('progress');
		var words = box.querySelector('[data-sending-words]');
		var said = form.querySelector('[data-sending-said]');
		var cancel = box.querySelector('[data-sending-cancel]');
		var plain = form.getAttribute('action');
		var upload = null;		// the one under way
		var waits = false;		// pressed before its photograph was ready

		function say(text, aloud) {
			words.textContent = text;
			if (aloud) said.textContent = text;
		}

		function chosen() {
			return Array.from(form.querySelectorAll('input[type=file]')).flatMap(function (input) { return Array.from(input.files); });
		}

		function end(sentence) {
			var over = upload;
			upload = null;
			if (over) over.control.abort();
			waits = false;
			delete form.dataset.sent;
			form.setAttribute('action', plain);
			form.querySelectorAll('[type=submit]').forEach(function (button) { button.removeAttribute('aria-disabled'); });
			box.hidden = !sentence;
			bar.hidden = true;
			cancel.hidden = true;
			box.classList.toggle('icert-sending--ended', Boolean(sentence));
			say(sentence ? box.dataset[sentence] : '', true);
		}

		function rest(u, received, size, now) {
			while (u.samples.length > 2 && now - u.samples[1].at > WINDOW) u.samples.shift();
			var first = u.samples[0];
			if (now - u.moved > STILL) return box.dataset.slow;
			if (now - first.at < 2000 || received <= first.received) return '';
			var seconds = (size - received) * (now - first.at) / 1000 / (received - first.received);
			if (seconds < 5) return box.dataset.moment;
			if (seconds < 55) return box.dataset.seconds.replace('{n}', String(Math.ceil(seconds / 5) * 5));
			if (seconds < 90) return box.dataset.minute;
			return box.dataset.minutes.replace('{n}', String(Math.round(seconds / 60)));
		}

		function going(u, word, now) {
			var before = u.samples.length ? u.samples[u.samples.length - 1].received : -1;
			// A browser that begins again begins at nothing.
			if (word.received < before) u.samples = [];
			if (word.received !== before) u.moved = now;
			u.samples.push({ at: now, received: word.received });
			if (!(word.size > 0)) return say(box.dataset.start);
			bar.max = word.size;
			bar.value = Math.min(word.received, word.size);
			var parts = amounts(word.received, word.size);
			var text = box.dataset.going.replace('{a}', parts[0]).replace('{b}', parts[1]) + rest(u, word.received, word.size, now) + '.';
			// Read out at every quarter, not every second.
			var quarter = Math.floor(4 * word.received / word.size);
			say(text, (quarter > u.quarter && now - u.told > 5000) || u.lost);
			if (said.textContent === text) Object.assign(u, { quarter: quarter, told: now });
			u.lost = false;
			return undefined;
		}

		function arrived(u, sentence, now) {
			if (u.ended === sentence) {
				if (now - u.endedAt > ANSWER) end('late');
				return;
			}
			Object.assign(u, { ended: sentence, endedAt: now });
			cancel.hidden = true;
			if (sentence === 'received') bar.value = bar.max;
			say(box.dataset[sentence], true);
		}

		function lose(u, sentence) {
			if (u.lost) return;
			u.lost = true;
			say(box.dataset[sentence], true);
		}

		function hear(u, word, now) {
			if (word) u.heard = now;
			u.cuts = word && word.state === 'aborted' ? u.cuts + 1 : 0;
			if (word && word.state === 'receiving') going(u, word, now);
			else if (word && word.state === 'received') arrived(u, 'received', now);
			else if (word && word.state === 'refused') arrived(u, 'answered', now);
			// Browsers send by themselves a second time what a closed connection cut.
			else if (u.cuts >= CUTS) end('cut');
		}

		function question(u) {
			ask(u.id, u.control.signal, u.ahead > 1).then(function (word) {
				if (upload !== u) return;
				hear(u, word, Date.now());
				setTimeout(function () { if (upload === u) question(u); }, EVERY);
			});
		}

		// Some browsers ask nothing while they send: who never heard an answer cannot miss one.
		function listen(u) {
			if (upload !== u) return;
			if (u.heard && Date.now() - u.heard > PATIENCE) lose(u, 'silent');
			setTimeout(listen, EVERY, u);
		}

		// A large photograph is being shrunk (icert.js): it is sent when it is ready.
		function later(event) {
			event.preventDefault();
			delete form.dataset.sent;
			box.hidden = false;
			bar.hidden = cancel.hidden = true;
			say(box.dataset.shrinking, true);
			waits = true;
		}

		form.addEventListener('shrunk', function () {
			if (!waits) return;
			end();
			if (chosen().length && form.requestSubmit) form.requestSubmit();
		});

		form.addEventListener('submit', function (event) {
			if (upload) return event.preventDefault();
			if (event.defaultPrevented || !chosen().length) return undefined;
			if (form.querySelector('input[data-shrinking]')) return later(event);
			upload = { id: newId(), control: new AbortController(), samples: [], quarter: 0, told: Date.now(), heard: 0, cuts: 0, moved: Date.now(), lost: false };
			keep({ id: upload.id, action: plain });
			form.setAttribute('action', plain + '?envio=' + upload.id);
			form.querySelectorAll('[type=submit]').forEach(function (button) { button.setAttribute('aria-disabled', 'true'); });
			bar.removeAttribute('value');
			box.classList.remove('icert-sending--ended');
			box.hidden = bar.hidden = cancel.hidden = false;
			say(box.dataset.start, true);
			upload.ahead = questions(chosen().reduce(function (sum, file) { return sum + file.size; }, 0));
			for (var n = upload.ahead; n > 0; n--) question(upload);
			listen(upload);
			waits = false;
			return undefined;
		});

		cancel.addEventListener('click', function () {
			window.stop();
			keep(null);
			end('cancelled');
			var button = form.querySelector('[type=submit]');
			if (button) button.focus();
		});

		window.addEventListener('offline', function () { if (upload) lose(upload, 'offline'); });

		// Back from a browser's own page of errors: what became of it.
		window.addEventListener('pageshow', function (event) {
			var last = kept();
			var way = performance.getEntriesByType('navigation')[0];
			// Any other way here is the page that answered, or a new beginning.
			var back = event.persisted || (way && way.type === 'back_forward');
			end();
			keep(null);
			if (!back || !last || last.action !== plain) return;
			ask(last.id).then(function (word) {
				if (upload || !word || word.state === 'unknown') return;
				end(word.state === 'received' ? 'arrived' : 'before');
			});
		});
	}

	document.querySelectorAll('form').forEach(function (form) {
		if (form.querySelector('[data-sending]')) follow(form);
	});
}());
