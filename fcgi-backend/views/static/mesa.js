// The capture of a face: a still of the meeting's window, or a picture pasted; without
// it the operator chooses a file.  A certification request read into its text field;
// without it the operator pastes it.
(function () {
	'use strict';

	document.querySelectorAll('[data-capture]').forEach(function (button) {
		var input = document.getElementById(button.dataset.capture);
		var preview = document.querySelector('[data-capture-preview="' + button.dataset.capture + '"]');
		if (!input || !window.DataTransfer) return;

		function put(blob) {
			var list = new DataTransfer();
			list.items.add(new File([blob], blob.type === 'image/png' ? 'captura.png' : 'captura.jpg', { type: blob.type }));
			input.files = list.files;
			input.dispatchEvent(new Event('change'));
			if (preview) {
				preview.src = URL.createObjectURL(blob);
				preview.hidden = false;
			}
		}

		document.addEventListener('paste', function (event) {
			var files = event.clipboardData ? Array.from(event.clipboardData.files) : [];
			var image = files.find(function (f) { return /^image\/(png|jpeg)$/.test(f.type); });
			if (image) put(image);
		});

		if (!navigator.mediaDevices || !navigator.mediaDevices.getDisplayMedia) return;
		button.hidden = false;
		button.addEventListener('click', async function () {
			try {
				var stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: false });
				var video = document.createElement('video');
				video.srcObject = stream;
				await video.play();
				var canvas = document.createElement('canvas');
				canvas.width = video.videoWidth;
				canvas.height = video.videoHeight;
				canvas.getContext('2d').drawImage(video, 0, 0);
				stream.getTracks().forEach(function (track) { track.stop(); });
				canvas.toBlob(function (blob) { if (blob) put(blob); }, 'image/jpeg', 0.92);
			} catch (error) { /* refused, or closed: a file can be chosen */ }
		});
	});

	document.querySelectorAll('[data-read-into]').forEach(function (group) {
		var area = document.getElementById(group.dataset.readInto);
		var input = group.querySelector('input[type=file]');
		if (!area || !input || !window.FileReader) return;
		group.hidden = false;
		input.addEventListener('change', async function () {
			if (!input.files.length || input.files[0].size > 32768) return;
			var bytes = new Uint8Array(await input.files[0].arrayBuffer());
			// DER begins with a SEQUENCE; a form carries text.
			area.value = bytes[0] !== 0x30 ? new TextDecoder().decode(bytes)
				: '-----BEGIN CERTIFICATE REQUEST-----\n' +
					btoa(String.fromCharCode.apply(null, bytes)).replace(/(.{64})/g, '$1\n') +
					'\n-----END CERTIFICATE REQUEST-----\n';
		});
	});
}());
