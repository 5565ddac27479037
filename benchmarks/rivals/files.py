"""Reading scans and writing label maps by other packages, and inflating alone."""

import numpy as np
import SimpleITK as sitk  # noqa: N813

_IN, _OUT = 1 << 16, 1 << 18


def read_simpleitk(path):
    """SimpleITK, and the copy to NumPy."""
    return sitk.GetArrayFromImage(sitk.ReadImage(path))


def read_simpleitk_view(path):
    """SimpleITK without the copy: the image, which the view needs, and the view."""
    image = sitk.ReadImage(path)
    return image, sitk.GetArrayViewFromImage(image)


def read_nibabel(path):
    """nibabel, which reads NIfTI only; axes (x, y, z), turned as a view."""
    import nibabel

    return np.asarray(nibabel.load(path).dataobj).T


def read_pynrrd(path):
    """pynrrd, in the order of memory."""
    import nrrd

    return nrrd.read(str(path), index_order="C")[0]


def payload(path):
    """The gzip stream of an .nrrd file."""
    return path.read_bytes().partition(b"\n\n")[2]


def inflate_isal(path, shape):
    """ISA-L in one call."""
    from isal import isal_zlib

    n_bytes = 2 * int(np.prod(shape))
    return np.frombuffer(isal_zlib.decompress(payload(path), 31, n_bytes), np.int16).reshape(shape)


def inflate_zlib_ng(path, shape):
    """zlib-ng in one call."""
    from zlib_ng import zlib_ng

    n_bytes = 2 * int(np.prod(shape))
    return np.frombuffer(zlib_ng.decompress(payload(path), 31, n_bytes), np.int16).reshape(shape)


def inflate_libdeflate(path, shape):
    """libdeflate in one call."""
    import deflate

    n_bytes = 2 * int(np.prod(shape))
    return np.frombuffer(deflate.gzip_decompress(payload(path), n_bytes), np.int16).reshape(shape)


def inflate_only(path):
    """ISA-L by pieces that stay in the cache, thrown away: the least that reading this file can cost."""
    from isal.igzip_lib import DECOMP_GZIP, IgzipDecompressor

    inflater = IgzipDecompressor(flag=DECOMP_GZIP)
    n_bytes = 0
    with open(path, "rb", buffering=0) as file:
        while file.readline().strip():
            pass
        while not inflater.eof:
            n_bytes += len(inflater.decompress(file.read(_IN) if inflater.needs_input else b"", _OUT))
    return n_bytes


def write_simpleitk(path, image, level=-1):
    """SimpleITK from its own image, without the copy that an array would need; -1 is its usual level of compression."""
    sitk.WriteImage(image, path, useCompression=True, compressionLevel=level)
    return path


def write_nibabel(path, labels):
    """nibabel, whose usual level is 1; axes (x, y, z)."""
    import nibabel

    nibabel.save(nibabel.Nifti1Image(labels.T, np.eye(4)), path)
    return path


def write_pynrrd(path, labels, level=9):
    """pynrrd, as .nrrd, whose usual level is 9."""
    import nrrd

    nrrd.write(str(path), labels, index_order="C", compression_level=level)
    return path


def deflate_libdeflate(path, labels):
    """libdeflate at level 1: the voxels alone, without a header."""
    import deflate

    path.write_bytes(deflate.gzip_compress(labels, 1))
    return path
