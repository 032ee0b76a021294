// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/identity/internal/key_file.h"
#include "freehold/identity/internal/test_keys.h"
#include "freehold/identity/internal/test_surroundings.h"

namespace freehold::identity {
namespace {

using internal::content_of, internal::mode_of, internal::TemporaryDirectory;

TEST(VerifyingKey, of_the_example_in_rfc_7515_has_its_coordinates_and_thumbprint) {
  const auto key = VerifyingKey::from_pem(internal::example_public_pem).value();
  EXPECT_EQ(key.x(), internal::example_x);
  EXPECT_EQ(key.y(), internal::example_y);
  EXPECT_EQ(key.kid(), internal::example_kid);
  EXPECT_EQ(key.pem(), internal::example_public_pem);
}

TEST(VerifyingKey, is_the_same_from_its_text_and_from_its_coordinates) {
  EXPECT_EQ(VerifyingKey::from_coordinates(internal::example_x, internal::example_y).value(),
            VerifyingKey::from_pem(internal::example_public_pem).value());
}

TEST(VerifyingKey, what_is_no_point_on_the_curve_is_refused) {
  const std::string& x = internal::example_x;
  const std::string& y = internal::example_y;
  EXPECT_FALSE(VerifyingKey::from_coordinates(x, x));
  EXPECT_FALSE(VerifyingKey::from_coordinates(y, x));
  EXPECT_FALSE(VerifyingKey::from_coordinates(x, ""));
  EXPECT_FALSE(VerifyingKey::from_coordinates(x + "AA", y));
  EXPECT_FALSE(VerifyingKey::from_coordinates("!" + x.substr(1), y));
}

TEST(VerifyingKey, other_keys_and_other_texts_are_refused) {
  for (const std::string& pem :
       {std::string{}, std::string{"hello"}, internal::p384_public_pem,
        internal::example_private_pem, internal::example_public_pem.substr(0, 100)})
    EXPECT_EQ(VerifyingKey::from_pem(pem).error().kind(), Kind::invalid) << pem;
}

TEST(SigningKey, holds_the_public_half_of_its_text) {
  const SigningKey key = internal::example_key();
  EXPECT_EQ(key.verifying_key(), VerifyingKey::from_pem(internal::example_public_pem).value());
  EXPECT_EQ(key.kid(), internal::example_kid);
}

TEST(SigningKey, each_made_one_is_another) {
  EXPECT_NE(SigningKey::generate().kid(), SigningKey::generate().kid());
}

TEST(SigningKey, other_keys_and_other_texts_are_refused) {
  for (const std::string& pem : {std::string{}, std::string{"hello"}, internal::p384_private_pem,
                                 internal::example_public_pem})
    EXPECT_FALSE(SigningKey::from_pem(pem)) << pem;
}

TEST(SigningKey, with_the_public_half_of_another_is_refused) {
  EXPECT_FALSE(SigningKey::from_pem(internal::mismatched_private_pem));
}

TEST(SigningKey, an_encrypted_key_is_refused_without_asking_anybody_for_its_password) {
  // openssl pkcs8 -topk8 -v2 aes-128-cbc -iter 1 -passout pass:abcd
  EXPECT_FALSE(
      SigningKey::from_pem("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                           "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAgdUaSIa2AQiwIBATAM\n"
                           "BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBAgQQZpkTYImKLPdabjWnZEE0GQSBkKuR\n"
                           "nF0zM7vqgH0QfajQuC4WVGFrifpHr61W2B9OqMDUhnWtd3U1iiomjtjxtuCD94j2\n"
                           "HG2Z6+tIDlQXkIGlbAfjJPUZPrMOwY54XzwLEVrB6EWi+9n0NEpwicqRFa22zL87\n"
                           "qb+rAi13sPb3Z8jCG3h1eepPYowWPqH68CD3H9Z71M48ydNUQATb5vHTWnnONA==\n"
                           "-----END ENCRYPTED PRIVATE KEY-----\n"));
}

TEST(SigningKey, is_saved_for_its_owner_alone_and_loads_again) {
  const TemporaryDirectory directory;
  const auto path = directory / "order.key";
  const mode_t before = ::umask(0);
  const SigningKey key = SigningKey::generate();
  EXPECT_TRUE(key.save(path));
  ::umask(before);
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(SigningKey::load(path).value().pem(), key.pem());
}

TEST(SigningKey, saving_replaces_the_file_and_leaves_no_other) {
  const TemporaryDirectory directory;
  const auto path = directory / "order.key";
  EXPECT_TRUE(SigningKey::generate().save(path));
  const SigningKey second = SigningKey::generate();
  EXPECT_TRUE(second.save(path));
  EXPECT_EQ(content_of(path), second.pem());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{path.parent_path()}, {}), 1);
}

TEST(SigningKey, a_file_that_cannot_be_trusted_is_refused_and_left_as_it_is) {
  const TemporaryDirectory directory;
  const auto path = directory / "order.key";
  EXPECT_TRUE(SigningKey::load(path).error().is(errors::not_found));

  EXPECT_TRUE(SigningKey::generate().save(path));
  for (mode_t mode : {0640U, 0604U, 0620U, 0602U}) {
    ::chmod(path.c_str(), mode);
    EXPECT_TRUE(SigningKey::load(path).error().is(errors::keys_unusable)) << mode;
  }
  std::filesystem::create_symlink(path, directory / "link.key");
  ::chmod(path.c_str(), 0600);
  EXPECT_TRUE(SigningKey::load(path));
  EXPECT_TRUE(SigningKey::load(directory / "link.key").error().is(errors::keys_unusable));

  EXPECT_TRUE(internal::write_key_file(path, "half a k", 0600));
  EXPECT_TRUE(SigningKey::load(path).error().is(errors::keys_unusable));
  EXPECT_EQ(content_of(path), "half a k");
  const std::string padded = internal::example_private_pem + std::string(20'000, '\n');
  EXPECT_TRUE(internal::write_key_file(path, padded, 0600));
  EXPECT_TRUE(SigningKey::load(path).error().is(errors::keys_unusable));
}

TEST(SigningKey, a_pipe_in_the_files_place_is_refused_at_once) {
  const TemporaryDirectory directory;
  const auto path = directory / "order.key";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(SigningKey::load(path).error().is(errors::keys_unusable));
}

TEST(SigningKey, a_directory_that_does_not_exist_is_named) {
  const TemporaryDirectory directory;
  const auto saved = SigningKey::generate().save(directory / "missing" / "order.key");
  ASSERT_TRUE(saved.error().is(errors::keys_unusable));
  EXPECT_NE(saved.error().detail().find("missing"), std::string_view::npos);
}

// Dies at the crash point, in a process of its own; returns how it ended.
int status_of_save_killed_at(std::string_view point, const std::filesystem::path& path) {
  static std::string_view where;
  where = point;
  const pid_t child = ::fork();
  if (child == 0) {
    install_crash_point_hook([](std::string_view name) {
      if (name == where) std::raise(SIGKILL);
    });
    (void)internal::write_key_file(path, "new", 0600);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(KeyFile, killed_before_the_rename_the_former_file_stands_and_the_next_write_succeeds) {
  const TemporaryDirectory directory;
  const auto path = directory / "order.key";
  EXPECT_TRUE(internal::write_key_file(path, "former", 0600));
  const int status = status_of_save_killed_at("identity.before_rename", path);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(content_of(path), "former");

  EXPECT_TRUE(internal::write_key_file(path, "next", 0600));
  EXPECT_EQ(content_of(path), "next");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{path.parent_path()}, {}), 1);
}

}  // namespace
}  // namespace freehold::identity
