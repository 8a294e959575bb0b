// Small helps; every page works without them.
(function () {
	'use strict';

	// The summary of errors is read out first.
	var summary = document.querySelector('[data-error-summary]');
	if (summary) summary.focus();

	// What was done is said once, not each time that the page is loaded again.
	var query = new URLSearchParams(location.search);
	if (query.has('aviso') && history.replaceState) {
		query.delete('aviso');
		history.replaceState(history.state, '', location.pathname + (query.toString() ? '?' + query : '') + location.hash);
	}

	// A second press of the same button sends nothing.
	document.querySelectorAll('form[data-once]').forEach(function (form) {
		form.addEventListener('submit', function (event) {
			if (form.dataset.sent && Date.now() - Number(form.dataset.sent) < 8000) event.preventDefault();
			else form.dataset.sent = String(Date.now());
		});
	});
	window.addEventListener('pageshow', function () {
		document.querySelectorAll('form[data-sent]').forEach(function (form) { delete form.dataset.sent; });
	});

	// A page came, and it is none that sends files: nothing is left to say of an upload (envio.js).
	if (!document.querySelector('[data-sending]')) {
		try { sessionStorage.removeItem('icert.envio'); } catch (error) { /* no storage, nothing kept */ }
	}

	document.querySelectorAll('[data-print]').forEach(function (button) {
		button.hidden = false;
		button.addEventListener('click', function () { window.print(); });
	});

	// A page that waits for something looks for news by itself, and is shown
	// anew only when there is some.
	var watched = document.querySelector('[data-watch]');
	if (watched && window.fetch && window.DOMParser) {
		var until = Date.now() + 10 * 60 * 1000;
		var timer = setInterval(function () {
			if (Date.now() > until) return clearInterval(timer);
			if (document.hidden) return undefined;
			fetch(location.pathname + '?espera=1', { credentials: 'same-origin' }).then(function (answer) {
				return answer.text();
			}).then(function (text) {
				var now = new DOMParser().parseFromString(text, 'text/html').querySelector('[data-watch]');
				if (now && now.dataset.watch === watched.dataset.watch) return;
				clearInterval(timer);
				location.reload();
			}).catch(function () { /* asked again in a moment */ });
			return undefined;
		}, 3000);
	}

	// A photograph above the limit is shrunk here; another file is refused
	// here, before it travels.
	function say(input, text) {
		var place = document.getElementById(input.id + '-error');
		var group = input.closest('.govuk-form-group');
		if (place) place.textContent = text;
		if (group) group.classList.toggle('govuk-form-group--error', Boolean(text));
		input.classList.toggle('govuk-file-upload--error', Boolean(text));
		if (text) input.setAttribute('aria-invalid', 'true');
		else input.removeAttribute('aria-invalid');
	}

	function toBlob(canvas, quality) {
		return new Promise(function (resolve) { canvas.toBlob(resolve, 'image/jpeg', quality); });
	}

	async function shrink(file, limit) {
		var bitmap = await createImageBitmap(file);
		var longest = Math.max(bitmap.width, bitmap.height);
		for (var side = Math.min(longest, 2400); side >= 900; side = Math.round(side * 0.8)) {
			var scale = side / longest;
			var canvas = document.createElement('canvas');
			canvas.width = Math.round(bitmap.width * scale);
			canvas.height = Math.round(bitmap.height * scale);
			var ctx = canvas.getContext('2d');
			ctx.fillStyle = '#fff';
			ctx.fillRect(0, 0, canvas.width, canvas.height);
			ctx.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
			for (var quality = 0.88; quality > 0.5; quality -= 0.12) {
				var blob = await toBlob(canvas, quality);
				if (blob && blob.size <= limit) return blob;
			}
		}
		return null;
	}

	document.querySelectorAll('input[type=file][data-limit]').forEach(function (input) {
		var limit = Number(input.dataset.limit);
		input.addEventListener('change', async function () {
			say(input, '');
			input.setCustomValidity('');
			delete input.dataset.shrinking;
			var file = input.files[0];
			if (!file) return;
			if (file.size === 0) return say(input, input.dataset.empty);
			if (file.size <= limit) return;
			var small = null;
			if (/^image\/(jpeg|png)$/.test(file.type) && window.DataTransfer && window.createImageBitmap) {
				input.dataset.shrinking = '1';
				try { small = await shrink(file, limit); } catch (error) { /* the sentence below says what to do */ }
				// Another one was chosen meanwhile.
				if (input.files[0] !== file) return;
				delete input.dataset.shrinking;
			}
			if (small) {
				var list = new DataTransfer();
				list.items.add(new File([small], file.name.replace(/\.\w+$/, '') + '.jpg', { type: 'image/jpeg' }));
				input.files = list.files;
			} else {
				input.value = '';
				say(input, input.dataset.large);
			}
			input.dispatchEvent(new Event('shrunk', { bubbles: true }));
		});
	});
}());
