// The capture of a face: a still of the meeting's window, or a picture pasted.
// Without it the operator chooses a file.
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
}());
