// Numbers in bit slices: one for each bit of a word, added up and compared 32 at a time.
#pragma once

namespace fg {

// A number per bit of a word, as the words of its kBits bits.
template <int kBits>
struct Counts {
  unsigned bit[kBits] = {};

  template <int kOther>
  __device__ __forceinline__ void add(const Counts<kOther>& other) {
    unsigned carry = 0;
#pragma unroll
    for (int i = 0; i < kBits; i++) {
      const unsigned a = bit[i], b = i < kOther ? other.bit[i < kOther ? i : 0] : 0;
      bit[i] = a ^ b ^ carry;
      carry = (a & b) | (a & carry) | (b & carry);
    }
  }
  // Of numbers of as many bits.
  __device__ __forceinline__ Counts<kBits + 1> plus(const Counts& other) const {
    Counts<kBits + 1> sum;
#pragma unroll
    for (int i = 0; i < kBits; i++) sum.bit[i] = bit[i];
    sum.add(other);
    return sum;
  }
  __device__ __forceinline__ unsigned at_least(int least) const {
    unsigned is = ~0u;
#pragma unroll
    for (int i = 0; i < kBits; i++) is = least >> i & 1 ? bit[i] & is : bit[i] | is;
    return is;
  }
};

}  // namespace fg
