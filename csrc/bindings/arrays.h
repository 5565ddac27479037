// NumPy arrays as views: exact dtype and C order, or an error; nothing is converted or copied in silence.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "core/views.h"

namespace fg {
namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class T>
VolumeView<const T> volume_view(const Array<T>& array, const char* name) {
  if (array.ndim() != 3) throw std::invalid_argument(std::string(name) + " must be 3-D");
  return {array.data(), {array.shape(0), array.shape(1), array.shape(2)}};
}

template <class T>
VolumeView<T> volume_out(Array<T>& array, const char* name) {
  if (array.ndim() != 3) throw std::invalid_argument(std::string(name) + " must be 3-D");
  return {array.mutable_data(), {array.shape(0), array.shape(1), array.shape(2)}};
}

inline void require_shape(const Shape& got, const Shape& wanted, const char* name) {
  if (got.nz != wanted.nz || got.ny != wanted.ny || got.nx != wanted.nx)
    throw std::invalid_argument(std::string(name) + " must have the shape of the input");
}

// The words of a PackedMask, whose planes may be padded, with the number of voxels along x.
using Words = py::array_t<std::uint64_t>;

inline std::int64_t words_plane_stride(const Words& words, std::int64_t nx) {
  if (words.ndim() != 3 || words.shape(2) != (nx + 63) / 64)
    throw std::invalid_argument("words must have shape (nz, ny, ceil(nx / 64))");
  const bool has_rows = words.size() > 0;
  if (has_rows && (words.strides(2) != 8 || (words.shape(1) > 1 && words.strides(1) != 8 * words.shape(2))))
    throw std::invalid_argument("words must have contiguous rows within each plane");
  return words.shape(0) > 1 ? words.strides(0) / 8 : words.shape(1) * words.shape(2);
}

inline MaskView mask_view(const Words& words, std::int64_t nx) {
  return {words.data(), {words.shape(0), words.shape(1), nx}, words_plane_stride(words, nx)};
}

inline void check_shape(const Shape& shape, const Shape& expected, const char* name) {
  if (shape.nz != expected.nz || shape.ny != expected.ny || shape.nx != expected.nx)
    throw std::invalid_argument(std::string(name) + " must have the shape of the input");
}

// The mask of a volume, if there is one.
inline std::optional<MaskView> mask_or_none(const std::optional<Words>& words, const Shape& shape) {
  if (!words) return std::nullopt;
  const MaskView mask = mask_view(*words, shape.nx);
  check_shape(mask.shape, shape, "mask");
  return mask;
}

inline MaskOut mask_out(Words& words, std::int64_t nx) {
  return {words.mutable_data(), {words.shape(0), words.shape(1), nx}, words_plane_stride(words, nx)};
}

}  // namespace fg
