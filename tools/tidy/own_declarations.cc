// SPDX-License-Identifier: Apache-2.0
//
// Loaded into clang-tidy: its checks walk the declarations of our own files and not those of the
// headers of libraries, in which it would report nothing, and spends most of its time. clangd
// narrows its checks by the same call.
#include <clang/AST/ASTConsumer.h>
#include <clang/AST/ASTContext.h>
#include <clang/AST/Decl.h>
#include <clang/Frontend/FrontendPluginRegistry.h>

#include <memory>
#include <string>
#include <vector>

namespace {

class OwnDeclarations : public clang::ASTConsumer {
 public:
  // Called for each declaration of a file, or of a namespace's part in it, that is parsed: for what
  // is in the precompiled header it is not.
  bool HandleTopLevelDecl(clang::DeclGroupRef group) override {
    for (clang::Decl* declaration : group) {
      const auto& files = declaration->getASTContext().getSourceManager();
      if (!files.isInSystemHeader(files.getExpansionLoc(declaration->getLocation())))
        own_.push_back(declaration);
    }
    return true;
  }

  void HandleTranslationUnit(clang::ASTContext& context) override {
    context.setTraversalScope(own_);
  }

 private:
  std::vector<clang::Decl*> own_;
};

class NarrowToOwn : public clang::PluginASTAction {
 protected:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance& /*compiler*/,
                                                        llvm::StringRef /*file*/) override {
    return std::make_unique<OwnDeclarations>();
  }
  bool ParseArgs(const clang::CompilerInstance& /*compiler*/,
                 const std::vector<std::string>& /*arguments*/) override {
    return true;
  }
  ActionType getActionType() override { return AddBeforeMainAction; }
};

const clang::FrontendPluginRegistry::Add<NarrowToOwn> added{
    "own-declarations", "checks walk the declarations of our own files"};

}  // namespace
