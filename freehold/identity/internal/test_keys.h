// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: the key of the ES256 example in RFC 7515, A.3, and keys of another curve.
#pragma once

#include <string>

#include "freehold/identity/key.h"

namespace freehold::identity::internal {

inline const std::string example_x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
inline const std::string example_y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
inline const std::string example_kid = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U";

inline const std::string example_private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
    "-----END PRIVATE KEY-----\n";

inline const std::string example_public_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
    "-----END PUBLIC KEY-----\n";

// The private number of the example with the point of another key.
inline const std::string mismatched_private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAQjiDKK+YnJifq50ps+sVQwkQFGvKS4\n"
    "cdeQmSZyJXNHwyNIlHxkBEWXPc9hor9X6Go2EBvENPMcyU8leT+bcidT\n"
    "-----END PRIVATE KEY-----\n";

inline const std::string p384_private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDOCsFDvcHX1p0QX9De\n"
    "6eyWy9dmQTf8bNdrMGs85Q5xLWo1v/h4H2qzo7fjqJ6+NPShZANiAATZDD+kRpMN\n"
    "nMCg9xdLBZBhKMW/H7Qn22ja63tvI3NhvVdL09+BbhC6rBR6BL4Yp+V8MA7Oijx1\n"
    "zPdsfbk1aO/JnnyMi6AIeBeGa33Tdj2rYOFSI7IetQHKtJMLeAE7U2s=\n"
    "-----END PRIVATE KEY-----\n";

inline const std::string p384_public_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAESs/whvYE31YUUpPoJIjCVTHDR+2Sye32\n"
    "Br+gf3lJPxmDSUplC00kbbFeyOQZTMOMmL9EOE7csBTbNF2Fn4VhCRqER6m++FNv\n"
    "oT2ccbANjOtTviGOJyCDTOBs0RUrkA9d\n"
    "-----END PUBLIC KEY-----\n";

inline SigningKey example_key() {
  return SigningKey::from_pem(example_private_pem).value();
}

}  // namespace freehold::identity::internal
